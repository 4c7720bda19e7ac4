/* Notes what the machines' statuses say, for their history: means a minute go to disk, the last hour stays in memory. */
#ifndef SALLYPORT_RELAY_RECORDER_H
#define SALLYPORT_RELAY_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/err.h"
#include "sallyport/domain/status.h"
#include "sallyport/store/history.h"

struct loop;
struct store;
struct recorder;

struct recorder_config {
    struct loop *loop;
    struct store *store;  /* which machines there are */
    const char *state;    /* the folder; copied */
    int64_t (*now)(void); /* UTC seconds */
};

/* Opens "history.sqlite" in the state folder; what cannot be opened is put aside, or tried again later: the relay runs
 * without. 0, SP_ENOMEM or SP_ESYS. */
int recorder_new(const struct recorder_config *config, struct recorder **out);
/* Writes what is left. NULL is allowed. */
void recorder_free(struct recorder *recorder);

/* For a timer of some seconds: when a minute is over, what was noted in it is written, by a thread. */
void recorder_tick(struct recorder *recorder);

/* This is what the machine says now. */
void recorder_take(struct recorder *recorder, int64_t machine_id, const struct status *status);
/* Some machine may be gone: its rows go soon. */
void recorder_machines_changed(struct recorder *recorder);
/* What was lost of the history, or cannot be written now, as sentences for people; "": nothing. */
void recorder_lost(const struct recorder *recorder, char *to, size_t size);
/* For reading; NULL: there is no history now. Only until control returns to the loop. A reader that says SP_EFORMAT has found
 * damage: recorder_damaged. */
struct history *recorder_history(struct recorder *recorder);
void recorder_damaged(struct recorder *recorder);

/* A piece of history as a table. */
struct recorder_column {
    char name[320];
    char label[96]; /* of a GPU its name; "" */
    int64_t gpu;    /* its index; -1: not a GPU's */
    float *values;  /* one a time; NAN: not known */
};
struct recorder_table {
    int64_t from, to, step_s;
    size_t rows;
    int64_t
        *times; /* of the beginning of each row, rising; stretches of which nothing is known have one row of nothing */
    size_t columns;
    struct recorder_column *column;
};
enum {
    RECORDER_ROWS_MAX = 5000,
    RECORDER_ROWS_AUTO = 1500, /* when no step was asked for */
    RECORDER_SPAN_MAX_S = 731 * 86400,
};
/* What is known from `from` to `to` (UTC seconds), a value each `step_s` or somewhat more (0: as fine as makes at most
 * RECORDER_ROWS_AUTO rows). recorder_table_fini frees. SP_EINVAL: not from < to, or too long; SP_ETOOBIG: too many rows. */
int recorder_read(struct recorder *recorder, int64_t machine_id, int64_t from, int64_t to, int64_t step_s,
                  struct recorder_table *out);
void recorder_table_fini(struct recorder_table *table);

#endif
