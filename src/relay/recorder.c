#include "recorder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder_local.h"
#include "sallyport/base/log.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/store/machines.h"

/* Minutes that wait for a disk that cannot be written; the oldest gives way. */
#define WAITING_MAX 10
#define TIDY_MINUTES 15

/* What a thread does with the file; the loop leaves both alone meanwhile. */
struct errand {
    bool busy;
    struct history *history;
    const struct recorder_batch *batches[WAITING_MAX]; /* the first ones that wait */
    size_t count, written;
    int64_t *ids; /* owned; NULL: nothing is tidied */
    size_t id_count;
    int64_t now;
    bool more; /* there is more to tidy */
    int rc;
    int error; /* errno */
};

struct recorder {
    struct loop *loop;
    struct store *store;
    int64_t (*now)(void);
    struct work *work;
    struct map *machines;        /* id in decimal -> struct recorder_machine */
    int64_t minute;              /* UTC, of the last time that was written */
    struct recorder_batch *next; /* the minute that is not over */
    struct list waiting;         /* of struct recorder_batch */
    size_t waiting_count, dropped;
    struct errand errand;
    struct recorder_file file;
    struct why trouble; /* why nothing can be written now; "": it can */
    int64_t trouble_since;
    int64_t tidied; /* the quarter of an hour in which it was tidied last */
    bool tidy_soon;
};

static const char *machine_key(int64_t id, char to[static 24]) {
    (void)snprintf(to, 24, "%" PRId64, id);
    return to;
}

int64_t recorder_now(const struct recorder *recorder) {
    return recorder->now();
}

struct recorder_machine *recorder_find(const struct recorder *recorder, int64_t machine_id) {
    char key[24];
    return map_get(recorder->machines, machine_key(machine_id, key));
}

static void machine_free(struct recorder_machine *machine) {
    free(machine->subjects);
    ring_fini(&machine->ring);
    usage_fini(&machine->usage);
    free(machine);
}

/* Which numbers its GPUs and filesystems had so far. */
static int load_subjects(struct recorder *recorder, struct recorder_machine *machine) {
    struct history_subject *list = NULL;
    size_t count = 0;
    if (!recorder->file.reader)
        return 0;
    int rc = history_subjects(recorder->file.reader, machine->id, &list, &count);
    if (rc == SP_EFORMAT)
        recorder_damaged(recorder);
    if (rc < 0 || count == 0) {
        free(list);
        return rc;
    }
    machine->subjects = calloc(count, sizeof(*machine->subjects));
    for (size_t i = 0; machine->subjects && i < count; i++)
        machine->subjects[i] = (struct recorder_subject){list[i], list[i].seen};
    machine->subject_count = machine->subjects ? count : 0;
    free(list);
    return machine->subjects ? 0 : SP_ENOMEM;
}

static struct recorder_machine *machine_of(struct recorder *recorder, int64_t id) {
    char key[24];
    struct recorder_machine *machine = recorder_find(recorder, id);
    if (machine)
        return machine;
    machine = calloc(1, sizeof(*machine));
    if (!machine)
        return NULL;
    machine->id = id;
    if (load_subjects(recorder, machine) < 0 || map_put(recorder->machines, machine_key(id, key), machine) < 0) {
        machine_free(machine);
        return NULL;
    }
    return machine;
}

void recorder_take(struct recorder *recorder, int64_t machine_id, const struct status *status) {
    int64_t now = recorder->now();
    struct sample sample;
    uint8_t bytes[SAMPLE_BYTES_MAX];
    struct recorder_machine *machine = machine_of(recorder, machine_id);
    if (!machine || now <= 0)
        return;
    if (machine->minute != now / 60)
        recorder_batch_minute(recorder->next, machine);
    machine->minute = now / 60;
    recorder_sample(machine, status, now, &sample);
    sample_sum_add(&machine->sum, &sample);
    ring_put(&machine->ring, now, bytes, sample_pack(&sample, bytes));
    usage_take(&machine->usage, status, now, loop_now(recorder->loop));
}

/* Everything is to be written once more: it was lost on the way. */
static void subjects_lost(struct recorder *recorder) {
    size_t cursor = 0;
    for (struct recorder_machine *machine; (machine = map_next(recorder->machines, &cursor, NULL));) {
        for (size_t i = 0; i < machine->subject_count; i++)
            machine->subjects[i].stored = 0;
    }
}

static void forget_batch(struct recorder *recorder, struct list *node) {
    recorder_batch_free(list_item(node, struct recorder_batch, link));
    recorder->waiting_count--;
}

/* Puts what is complete in line; at the end (`all`) the rest, too. */
static void collect(struct recorder *recorder, bool all) {
    size_t cursor = 0;
    int64_t minute = recorder->now() / 60;
    for (struct recorder_machine *machine; (machine = map_next(recorder->machines, &cursor, NULL));) {
        if (all || machine->minute != minute)
            recorder_batch_minute(recorder->next, machine);
        recorder_batch_rest(recorder->next, machine);
    }
    struct recorder_batch *fresh = recorder_batch_is_empty(recorder->next) ? NULL : recorder_batch_new();
    if (!fresh)
        return;
    list_append(&recorder->waiting, &recorder->next->link);
    recorder->waiting_count++;
    recorder->next = fresh;
    if (recorder->waiting_count <= WAITING_MAX)
        return;
    /* Those that are being written stay: the thread has them. */
    forget_batch(recorder, recorder->errand.busy ? recorder->waiting.prev : recorder->waiting.next);
    recorder->dropped++;
    subjects_lost(recorder);
}

static int compare(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* Machines that are not in the registry any more. */
static void forget_machines(struct recorder *recorder, const int64_t *ids, size_t count) {
    for (;;) {
        struct recorder_machine *gone = NULL;
        size_t cursor = 0;
        char key[24];
        for (struct recorder_machine *one; !gone && (one = map_next(recorder->machines, &cursor, NULL));)
            gone = count > 0 && bsearch(&one->id, ids, count, sizeof(*ids), compare) ? NULL : one;
        if (!gone)
            return;
        (void)map_remove(recorder->machines, machine_key(gone->id, key));
        machine_free(gone);
    }
}

/* All machines that there are, in order; nothing is tidied without. */
static void list_ids(struct recorder *recorder, struct errand *errand) {
    struct machine *machines = NULL;
    size_t count = 0;
    if (store_machine_list(recorder->store, &machines, &count) < 0)
        return;
    errand->ids = calloc(count + 1, sizeof(*errand->ids));
    for (size_t i = 0; errand->ids && i < count; i++)
        errand->ids[errand->id_count++] = machines[i].id;
    free(machines);
    if (!errand->ids)
        return;
    qsort(errand->ids, errand->id_count, sizeof(*errand->ids), compare);
    forget_machines(recorder, errand->ids, errand->id_count);
}

/* On a thread. */
static void errand_run(void *ctx) {
    struct errand *errand = &((struct recorder *)ctx)->errand;
    while (errand->written < errand->count && errand->rc == 0) {
        errand->rc = recorder_batch_write(errand->batches[errand->written], errand->history);
        errand->error = errno;
        errand->written += errand->rc == 0;
    }
    if (errand->rc == 0 && errand->ids) {
        errand->rc = history_tidy(errand->history, errand->ids, errand->id_count, errand->now, &errand->more);
        errand->error = errno;
    }
}

static void errand_finish(struct recorder *recorder) {
    struct errand *errand = &recorder->errand;
    for (size_t i = 0; i < errand->written; i++)
        forget_batch(recorder, recorder->waiting.next);
    free(errand->ids);
    errand->ids = NULL;
    errand->busy = false;
}

static void trouble(struct recorder *recorder, const char *text) {
    if (!recorder->trouble.text[0]) {
        recorder->trouble_since = recorder->now();
        log_error("history cannot be written (%s): it is tried again every minute", text);
    }
    why_set(&recorder->trouble, "%s", text);
}

static void no_trouble(struct recorder *recorder) {
    if (recorder->trouble.text[0])
        log_info("history is written again%s", recorder->dropped ? "; some minutes of it are lost" : "");
    recorder->trouble.text[0] = '\0';
}

static void errand_done(void *ctx) {
    struct recorder *recorder = ctx;
    struct errand *errand = &recorder->errand;
    bool tidied = errand->ids != NULL;
    errand_finish(recorder);
    if (errand->rc == SP_EFORMAT)
        recorder_damaged(recorder);
    else if (errand->rc < 0)
        trouble(recorder, errand->rc == SP_ESYS ? strerror(errand->error) : err_text(errand->rc));
    else
        no_trouble(recorder);
    if (tidied && errand->rc == 0) {
        recorder->tidied = errand->now / 60 / TIDY_MINUTES;
        recorder->tidy_soon = errand->more;
    }
}

static void errand_drop(void *ctx) {
    errand_finish(ctx);
}

/* Opens what is to be opened, and lets a thread write. */
static void send_errand(struct recorder *recorder) {
    struct errand *errand = &recorder->errand;
    struct why why = {""};
    int64_t now = recorder->now();
    if (errand->busy)
        return;
    if (recorder->file.damaged)
        subjects_lost(recorder);
    if (recorder_file_open(&recorder->file, now, &why) < 0) {
        trouble(recorder, why.text);
        return;
    }
    struct list *node, *tmp;
    *errand = (struct errand){.busy = true, .history = recorder->file.writer, .now = now};
    list_foreach (node, tmp, &recorder->waiting) {
        errand->batches[errand->count++] = list_item(node, struct recorder_batch, link);
    }
    if (recorder->tidy_soon || recorder->tidied != now / 60 / TIDY_MINUTES)
        list_ids(recorder, errand);
    if (work_submit(recorder->work, errand_run, errand_done, errand_drop, recorder) < 0)
        errand_finish(recorder);
}

void recorder_minute(struct recorder *recorder) {
    recorder->minute = recorder->now() / 60;
    collect(recorder, false);
    send_errand(recorder);
}

void recorder_tick(struct recorder *recorder) {
    if (recorder->now() / 60 != recorder->minute)
        recorder_minute(recorder);
}

int recorder_new(const struct recorder_config *config, struct recorder **out) {
    struct why why = {""};
    struct recorder *recorder = calloc(1, sizeof(*recorder));
    if (!recorder)
        return SP_ENOMEM;
    recorder->loop = config->loop;
    recorder->store = config->store;
    recorder->now = config->now;
    list_init(&recorder->waiting);
    recorder->minute = config->now() / 60;
    recorder->next = recorder_batch_new();
    int rc = recorder->next ? map_new(&recorder->machines) : SP_ENOMEM;
    if (rc == 0)
        rc = work_new(config->loop, 1, &recorder->work);
    if (rc == 0)
        rc = os_path(recorder->file.path, sizeof(recorder->file.path), config->state, "history.sqlite");
    if (rc < 0) {
        recorder_free(recorder);
        return rc;
    }
    if (recorder_file_open(&recorder->file, recorder->now(), &why) < 0)
        trouble(recorder, why.text);
    *out = recorder;
    return 0;
}

void recorder_free(struct recorder *recorder) {
    if (!recorder)
        return;
    work_free(recorder->work);
    if (recorder->machines && recorder->next)
        collect(recorder, true);
    while (recorder->waiting_count > 0) {
        if (recorder->file.writer && !recorder->file.damaged)
            (void)recorder_batch_write(list_item(recorder->waiting.next, struct recorder_batch, link),
                                       recorder->file.writer);
        forget_batch(recorder, recorder->waiting.next);
    }
    recorder_batch_free(recorder->next);
    if (recorder->machines)
        forget_machines(recorder, NULL, 0);
    map_free(recorder->machines);
    recorder_file_close(&recorder->file);
    free(recorder);
}

void recorder_machines_changed(struct recorder *recorder) {
    if (recorder)
        recorder->tidy_soon = true;
}

void recorder_lost(const struct recorder *recorder, char *to, size_t size) {
    char since[21];
    size_t used = (size_t)snprintf(to, size, "%s", recorder->file.lost);
    if (!recorder->trouble.text[0] || used >= size)
        return;
    str_time(since, recorder->trouble_since);
    snprintf(to + used, size - used, "%sSince %s history cannot be written: %s. It is tried again every minute.",
             used ? " " : "", since, recorder->trouble.text);
}

struct history *recorder_history(struct recorder *recorder) {
    return recorder && !recorder->file.damaged ? recorder->file.reader : NULL;
}

bool recorder_is_writing(const struct recorder *recorder) {
    return recorder->errand.busy;
}

void recorder_damaged(struct recorder *recorder) {
    recorder->file.damaged = true;
}
