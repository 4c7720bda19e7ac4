/* History on disk: an SQLite file of its own beside the registry, with what machines measured and how GPUs were used. It
 * may be lost without anybody losing access. */
#ifndef SALLYPORT_STORE_HISTORY_H
#define SALLYPORT_STORE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/err.h"
#include "sallyport/domain/series.h"

struct history;

/* Rows are kept on levels: each has a period in seconds and for how long; a finer one is rolled up to the next. */
struct history_level {
    int64_t period_s, keep_s;
};
enum { HISTORY_LEVELS = 3 };
extern const struct history_level history_levels[HISTORY_LEVELS];

/* One connection, used by one thread at a time; a writer and readers may work at the same time. Opens or creates the file
 * (mode 0600). SP_EFORMAT: it is damaged or no history of ours: history_set_aside, then it can be opened; SP_EVERSION: of a
 * newer version (likewise); SP_ESYS, SP_EBUSY, SP_ENOMEM. Wherever a function here returns SP_EFORMAT later, the file turned
 * out to be damaged. */
int history_open(const char *path, struct history **out, struct why *why);
/* NULL is allowed. */
void history_close(struct history *history);

/* Renames the file that nobody has open, with what belongs to it, to "history.damaged-TIME" beside it, and drops all of
 * those but the two latest. `to` gets the new path. 0 or SP_ESYS. */
int history_set_aside(const char *path, int64_t now, char *to, size_t size, struct why *why);
/* Reads what can still be read of a file that was set aside into `history`, for at most `ms`. How many rows that were. */
size_t history_salvage(struct history *history, const char *damaged, uint64_t ms);

/* Who has series on a machine. */
struct history_subject {
    uint8_t id;
    char name[256]; /* of a GPU its id, of a filesystem its mount; "" for the machine itself */
    char label[96]; /* of a GPU its name */
    int64_t gpu;    /* its index; -1 for others */
    int64_t since;  /* rows before that are of somebody else, whose number it was */
    int64_t seen;   /* UTC seconds, within a day */
};

struct history_row {
    int64_t machine_id, time; /* UTC seconds of its beginning */
    size_t len;
    uint8_t bytes[SAMPLE_BYTES_MAX];
};

/* How a GPU was used on a day by a user; gpu "": the whole machine, which was there for busy_s. Beyond so many rows a day
 * and machine new ones are dropped: their names come from outside. */
#define HISTORY_USES_A_DAY 256
struct history_use {
    int32_t day; /* since 1970-01-01, UTC */
    char gpu[64], user[64];
    double busy_s, joules;
};

/* What is written at once. Arrays are borrowed. */
struct history_batch {
    const struct history_row *rows; /* of the finest level */
    size_t row_count;
    const struct history_named {
        int64_t machine_id;
        struct history_subject subject;
    } * subjects;
    size_t subject_count;
    const struct history_used {
        int64_t machine_id;
        struct history_use use; /* added to what is there */
    } * uses;
    size_t use_count;
};
/* One transaction; rows that are there are overwritten. 0, SP_EFORMAT, SP_ESYS. */
int history_write(struct history *history, const struct history_batch *batch);
/* Rolls up what is complete at `now`, and drops some of what is too old (all of it, called often enough). `ids` are all
 * machines that there are: of others some is dropped, too. `*more` says that it should be called again soon. */
int history_tidy(struct history *history, const int64_t *ids, size_t count, int64_t now, bool *more);

/* Calls `row` for each row of that level with from <= time < to, by time. 0, SP_EFORMAT, SP_ESYS. */
int history_read(struct history *history, int64_t machine_id, unsigned level, int64_t from, int64_t to,
                 void (*row)(void *ctx, int64_t time, const struct sample *sample), void *ctx);
/* All subjects of a machine, by id; *out is the caller's to free. */
int history_subjects(struct history *history, int64_t machine_id, struct history_subject **out, size_t *count);
/* All use of a machine from that day on, by day; *out is the caller's to free. */
int history_uses(struct history *history, int64_t machine_id, int32_t from, struct history_use **out, size_t *count);

#endif
