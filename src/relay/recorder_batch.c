/* What of all machines is written at once, every minute. */
#include <stdlib.h>

#include "recorder_local.h"

enum { SEEN_EVERY_S = 86400, STEP_BACK_MAX = 5 /* minutes */ };

struct recorder_batch *recorder_batch_new(void) {
    struct recorder_batch *batch = calloc(1, sizeof(*batch));
    if (!batch)
        return NULL;
    list_init(&batch->link);
    buf_init(&batch->rows);
    buf_init(&batch->subjects);
    buf_init(&batch->uses);
    return batch;
}

void recorder_batch_free(struct recorder_batch *batch) {
    if (!batch)
        return;
    list_remove(&batch->link);
    buf_fini(&batch->rows);
    buf_fini(&batch->subjects);
    buf_fini(&batch->uses);
    free(batch);
}

void recorder_batch_minute(struct recorder_batch *batch, struct recorder_machine *machine) {
    struct history_row row = {.machine_id = machine->id, .time = machine->minute * 60};
    struct sample sample;
    if (machine->sum.count == 0)
        return;
    sample_sum_end(&machine->sum, &sample);
    machine->sum.count = 0;
    /* A clock that was put back a little must not spoil a minute that is complete. After a larger jump its time is what
     * there is. */
    if (machine->minute <= machine->last_minute && machine->minute > machine->last_minute - STEP_BACK_MAX)
        return;
    machine->last_minute = machine->minute;
    row.len = sample_pack(&sample, row.bytes);
    if (row.len > 0)
        (void)buf_append(&batch->rows, &row, sizeof(row));
}

void recorder_batch_rest(struct recorder_batch *batch, struct recorder_machine *machine) {
    for (size_t i = 0; i < machine->subject_count; i++) {
        struct recorder_subject *subject = &machine->subjects[i];
        struct history_named named = {machine->id, subject->about};
        if (subject->about.seen - subject->stored < SEEN_EVERY_S && subject->stored)
            continue;
        if (buf_append(&batch->subjects, &named, sizeof(named)) == 0)
            subject->stored = subject->about.seen;
    }
    for (size_t i = 0; i < machine->usage.use_count; i++) {
        struct history_used used = {machine->id, machine->usage.uses[i]};
        (void)buf_append(&batch->uses, &used, sizeof(used));
    }
    usage_fini(&machine->usage);
}

bool recorder_batch_is_empty(const struct recorder_batch *batch) {
    return buf_len(&batch->rows) + buf_len(&batch->subjects) + buf_len(&batch->uses) == 0;
}

int recorder_batch_write(const struct recorder_batch *batch, struct history *history) {
    struct history_batch all = {
        .rows = (const void *)buf_head(&batch->rows),
        .row_count = buf_len(&batch->rows) / sizeof(struct history_row),
        .subjects = (const void *)buf_head(&batch->subjects),
        .subject_count = buf_len(&batch->subjects) / sizeof(struct history_named),
        .uses = (const void *)buf_head(&batch->uses),
        .use_count = buf_len(&batch->uses) / sizeof(struct history_used),
    };
    return history_write(history, &all);
}
