/* Which number the GPUs and filesystems of a machine have in its history. */
#include <stdlib.h>
#include <string.h>

#include "recorder_local.h"
#include "sallyport/base/str.h"

const struct history_subject *recorder_subject_find(const struct recorder_machine *machine, unsigned id) {
    for (size_t i = 0; i < machine->subject_count; i++) {
        if (machine->subjects[i].about.id == id)
            return &machine->subjects[i].about;
    }
    return NULL;
}

/* A free number, or else that which was not seen for the longest time. */
static struct recorder_subject *make_room(struct recorder_machine *machine, unsigned first, unsigned count) {
    struct recorder_subject *oldest = NULL;
    bool taken[SUBJECT_IDS] = {false};
    for (size_t i = 0; i < machine->subject_count; i++) {
        struct recorder_subject *subject = &machine->subjects[i];
        unsigned id = subject->about.id;
        if (id < first || id >= first + count)
            continue;
        taken[id] = true;
        if (!oldest || subject->about.seen < oldest->about.seen)
            oldest = subject;
    }
    unsigned id = first;
    while (id < first + count && taken[id])
        id++;
    if (id == first + count)
        return oldest;
    struct recorder_subject *grown =
        reallocarray(machine->subjects, machine->subject_count + 1, sizeof(*machine->subjects));
    if (!grown)
        return NULL;
    machine->subjects = grown;
    struct recorder_subject *subject = &grown[machine->subject_count++];
    memset(subject, 0, sizeof(*subject));
    subject->about.id = (uint8_t)id;
    return subject;
}

/* The number of what is called `name`; false when memory is short. */
static bool number_of(struct recorder_machine *machine, unsigned first, unsigned count, const char *name,
                      const char *label, int64_t gpu, int64_t now, uint8_t *out) {
    struct recorder_subject *subject = NULL;
    for (size_t i = 0; i < machine->subject_count && !subject; i++) {
        struct recorder_subject *one = &machine->subjects[i];
        if (one->about.id >= first && one->about.id < first + count && strcmp(one->about.name, name) == 0)
            subject = one;
    }
    if (!subject) {
        subject = make_room(machine, first, count);
        if (!subject)
            return false;
        subject->about.since = now - now % history_levels[0].period_s;
        subject->stored = 0;
        (void)str_copy(subject->about.name, sizeof(subject->about.name), name);
    }
    if (strcmp(subject->about.label, label) != 0 || subject->about.gpu != gpu) {
        (void)str_copy(subject->about.label, sizeof(subject->about.label), label);
        subject->about.gpu = gpu;
        subject->stored = 0;
    }
    subject->about.seen = now;
    *out = subject->about.id;
    return true;
}

void recorder_sample(struct recorder_machine *machine, const struct status *status, int64_t now, struct sample *out) {
    struct sample_group *group = out->groups;
    if (number_of(machine, SUBJECT_MACHINE_ID, 1, "", "", -1, now, &group->subject))
        series_of_machine(status, group++);
    for (size_t i = 0; i < status->gpu_count; i++) {
        const struct gpu *gpu = &status->gpus[i];
        if (number_of(machine, SUBJECT_GPU_FIRST, SUBJECT_GPUS, gpu->id, gpu->name, gpu->index, now, &group->subject))
            series_of_gpu(gpu, group++);
    }
    for (size_t i = 0; i < status->filesystem_count && i < SAMPLE_FILESYSTEMS_MAX; i++) {
        const struct filesystem *filesystem = &status->filesystems[i];
        if (number_of(machine, SUBJECT_FILESYSTEM_FIRST, SUBJECT_FILESYSTEMS, filesystem->mount, "", -1, now,
                      &group->subject))
            series_of_filesystem(filesystem, group++);
    }
    out->count = (size_t)(group - out->groups);
}
