/* A damaged history is kept beside the new one, for those who want to look into it. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/str.h"
#include "sallyport/store/history.h"

#define DAMAGED "history.damaged-"
#define KEPT_MAX 2

static const char *const endings[] = {"", "-wal", "-shm"};

/* The name of the oldest one that was put aside, into `to`; how many there are. */
static size_t oldest(const char *folder, char to[static NAME_MAX + 1]) {
    size_t count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (!str_starts(entry->d_name, DAMAGED) || strchr(entry->d_name + strlen(DAMAGED), '-'))
            continue;
        if (count++ == 0 || strcmp(entry->d_name, to) < 0)
            (void)str_copy(to, NAME_MAX + 1, entry->d_name);
    }
    if (dir)
        closedir(dir);
    return count;
}

static void drop(const char *folder, const char *name) {
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (snprintf(path, sizeof(path), "%s/%s%s", folder, name, endings[i]) < (int)sizeof(path))
            (void)unlink(path);
    }
}

int history_set_aside(const char *path, int64_t now, char *to, size_t size, struct why *why) {
    char folder[PATH_MAX], name[NAME_MAX + 1], from[PATH_MAX], moved[PATH_MAX + 64], place[PATH_MAX + 32];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (len >= sizeof(folder) - 64)
        return SP_ETOOBIG;
    memcpy(folder, slash ? path : ".", slash ? len : 2);
    folder[slash ? len : 1] = '\0';
    /* Figures of the same number, so that names are in the order of time. */
    snprintf(place, sizeof(place), "%s/" DAMAGED "%010lld", folder, (long long)now);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        int a = snprintf(from, sizeof(from), "%s%s", path, endings[i]);
        int b = snprintf(moved, sizeof(moved), "%s%s", place, endings[i]);
        if (a >= (int)sizeof(from) || b >= (int)sizeof(moved))
            return SP_ETOOBIG;
        if (rename(from, moved) < 0 && (i == 0 || errno != ENOENT)) {
            why_set(why, "%s cannot be put aside: %s", from, strerror(errno));
            return SP_ESYS;
        }
    }
    while (oldest(folder, name) > KEPT_MAX)
        drop(folder, name);
    return str_copy(to, size, place);
}
