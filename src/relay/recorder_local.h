/* What the files of the recorder share. */
#ifndef SALLYPORT_RELAY_RECORDER_LOCAL_H
#define SALLYPORT_RELAY_RECORDER_LOCAL_H

#include "recorder.h"
#include "sallyport/base/buf.h"
#include "sallyport/base/list.h"
#include "sallyport/base/loop.h"
#include "sallyport/base/map.h"
#include "sallyport/base/work.h"

/* The samples of the last hour, packed, each in a slot of its own; a slot is as long as the longest needs. */
enum { RING_PERIOD_S = 10, RING_KEEP_S = 3600, RING_SLOTS = RING_KEEP_S / RING_PERIOD_S };
struct ring {
    int64_t times[RING_SLOTS];
    uint8_t lengths[RING_SLOTS];
    uint8_t *bytes; /* owned */
    size_t slot;    /* bytes of one */
    size_t first, count;
};
void ring_fini(struct ring *ring);
/* Times only rise: what is not before `time` goes. A sample in the same ten seconds takes the place of the last. */
void ring_put(struct ring *ring, int64_t time, const uint8_t *bytes, size_t n);
int64_t ring_oldest(const struct ring *ring); /* INT64_MAX: it is empty */
/* Those with from <= time < to. */
void ring_read(const struct ring *ring, int64_t from, int64_t to,
               void (*row)(void *ctx, int64_t time, const struct sample *sample), void *ctx);

struct recorder_subject {
    struct history_subject about;
    int64_t stored; /* `seen` as it was written; 0: it is to be written */
};

/* How GPUs are used, until it is written. */
enum { USES_PENDING_MAX = HISTORY_USES_A_DAY };
struct usage {
    uint64_t last; /* loop_now of the last status; 0: there was none */
    struct {
        char id[64];
        int64_t joules;
    } counters[STATUS_GPUS_MAX];
    size_t counter_count;
    struct history_use *uses; /* owned */
    size_t use_count;
};

/* What is remembered of a machine that has sent a status. */
struct recorder_machine {
    int64_t id;
    struct recorder_subject *subjects; /* owned, at most SUBJECT_IDS */
    size_t subject_count;
    int64_t minute; /* UTC, which `sum` is of */
    int64_t last_minute;
    struct sample_sum sum;
    struct ring ring;
    struct usage usage;
};

/* recorder_machine.c: what the status says, with the machine's own numbers of subjects; new ones are remembered. */
void recorder_sample(struct recorder_machine *machine, const struct status *status, int64_t now, struct sample *out);
const struct history_subject *recorder_subject_find(const struct recorder_machine *machine, unsigned id);
/* recorder_use.c */
void usage_take(struct usage *usage, const struct status *status, int64_t now, uint64_t now_ms);
void usage_fini(struct usage *usage);

/* recorder_batch.c: what is written together, owned. */
struct recorder_batch {
    struct list link;
    struct buf rows, subjects, uses; /* arrays of struct history_row, history_named, history_used */
};
struct recorder_batch *recorder_batch_new(void); /* NULL: out of memory */
void recorder_batch_free(struct recorder_batch *batch);
/* The minute that the machine has behind it; nothing when it is none. */
void recorder_batch_minute(struct recorder_batch *batch, struct recorder_machine *machine);
/* What else is to be written of the machine. */
void recorder_batch_rest(struct recorder_batch *batch, struct recorder_machine *machine);
bool recorder_batch_is_empty(const struct recorder_batch *batch);
int recorder_batch_write(const struct recorder_batch *batch, struct history *history);

/* recorder_file.c: the file, with a connection for writing and one for reading. */
struct recorder_file {
    char path[4200];
    struct history *writer, *reader; /* both or none */
    bool damaged;                    /* it is to be put aside */
    char lost[400];                  /* what was lost with one that was damaged */
};
/* Opens it, putting aside what is damaged. 0, or what it could not with why. */
int recorder_file_open(struct recorder_file *file, int64_t now, struct why *why);
void recorder_file_close(struct recorder_file *file);

/* recorder.c */
struct recorder_machine *recorder_find(const struct recorder *recorder, int64_t machine_id);
int64_t recorder_now(const struct recorder *recorder);
/* What recorder_tick does once a minute. */
void recorder_minute(struct recorder *recorder);
bool recorder_is_writing(const struct recorder *recorder);

#endif
