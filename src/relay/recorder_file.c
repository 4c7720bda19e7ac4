/* Opens the history's file; one that is damaged gives way to a new one. */
#include <stdio.h>
#include <string.h>

#include "recorder_local.h"
#include "sallyport/base/log.h"
#include "sallyport/base/str.h"

#define SALVAGE_MS 2000

static int open_both(struct recorder_file *file, struct why *why) {
    struct history *writer = NULL, *reader = NULL;
    int rc = history_open(file->path, &writer, why);
    if (rc == 0)
        rc = history_open(file->path, &reader, why);
    if (rc < 0) {
        history_close(writer);
        return rc;
    }
    file->writer = writer;
    file->reader = reader;
    return 0;
}

/* Away with it, and a new one, with what can be read of the old. */
static int begin_anew(struct recorder_file *file, const char *reason, int64_t now, struct why *why) {
    char aside[sizeof(file->path)], when[21];
    int rc = history_set_aside(file->path, now, aside, sizeof(aside), why);
    if (rc == 0)
        rc = open_both(file, why);
    if (rc < 0)
        return rc;
    size_t rows = history_salvage(file->writer, aside, SALVAGE_MS);
    const char *name = strrchr(aside, '/');
    str_time(when, now);
    snprintf(file->lost, sizeof(file->lost),
             "The history from before %s was damaged, and is lost%s. The damaged file is kept as %.64s.", when,
             rows > 0 ? " but for what could still be read" : "", name ? name + 1 : aside);
    log_error("%s: it is put aside as %s; %zu rows of it could still be read", reason, aside, rows);
    return 0;
}

int recorder_file_open(struct recorder_file *file, int64_t now, struct why *why) {
    struct why reason = {""};
    if (file->damaged) {
        recorder_file_close(file);
        file->damaged = false;
        return begin_anew(file, "the history is damaged", now, why);
    }
    if (file->writer)
        return 0;
    int rc = open_both(file, &reason);
    if (rc == SP_EFORMAT || rc == SP_EVERSION)
        return begin_anew(file, reason.text, now, why);
    if (rc < 0)
        *why = reason;
    return rc;
}

void recorder_file_close(struct recorder_file *file) {
    history_close(file->reader);
    history_close(file->writer);
    file->reader = file->writer = NULL;
}
