/* What is kept of a machine over time: which numbers of its status, by which names, and how they are packed. */
#ifndef SALLYPORT_DOMAIN_SERIES_H
#define SALLYPORT_DOMAIN_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/status.h"

/* A subject is what has series: the machine itself, a GPU, a filesystem. Their numbers are within one machine, which keeps
 * the names that go with them. */
enum series_kind { SERIES_MACHINE, SERIES_GPU, SERIES_FILESYSTEM };
enum {
    SUBJECT_MACHINE_ID = 0,
    SUBJECT_GPU_FIRST = 1, /* so many GPUs over time ... */
    SUBJECT_GPUS = 64,
    SUBJECT_FILESYSTEM_FIRST = SUBJECT_GPU_FIRST + SUBJECT_GPUS, /* ... and filesystems */
    SUBJECT_FILESYSTEMS = 64,
    SUBJECT_IDS = SUBJECT_FILESYSTEM_FIRST + SUBJECT_FILESYSTEMS,
    SAMPLE_FILESYSTEMS_MAX = 16, /* at one time */
    SAMPLE_GROUPS_MAX = 1 + STATUS_GPUS_MAX + SAMPLE_FILESYSTEMS_MAX,
    SERIES_PER_SUBJECT_MAX = 7,
    SAMPLE_BYTES_MAX = 1 + 15 + 9 * STATUS_GPUS_MAX + 3 * SAMPLE_FILESYSTEMS_MAX,
};

/* The kind that a subject's number stands for; false: it stands for nothing. */
bool series_kind_of(unsigned subject, enum series_kind *out);

/* What is known of each series of a kind: its name, and that of several values the highest counts, not the mean. */
struct series_about {
    const char *name; /* "used_share"; NULL ends the list */
    bool highest;
};
const struct series_about *series_of(enum series_kind kind);

/* The values of one subject at one time, in the order of series_of; NAN is not known. */
struct sample_group {
    uint8_t subject;
    float values[SERIES_PER_SUBJECT_MAX];
};
struct sample {
    size_t count;
    struct sample_group groups[SAMPLE_GROUPS_MAX];
};

/* What a status says. The subject is left to the caller. */
void series_of_machine(const struct status *status, struct sample_group *out);
void series_of_gpu(const struct gpu *gpu, struct sample_group *out);
void series_of_filesystem(const struct filesystem *filesystem, struct sample_group *out);

/* Means, or what is highest, over several samples. All zero is empty; what is over the bound of groups is left out. */
struct sample_sum {
    size_t count;
    struct {
        uint8_t subject;
        uint32_t n[SERIES_PER_SUBJECT_MAX];
        double sum[SERIES_PER_SUBJECT_MAX];
    } groups[SAMPLE_GROUPS_MAX];
};
void sample_sum_add(struct sample_sum *sum, const struct sample *sample);
void sample_sum_end(const struct sample_sum *sum, struct sample *out);

/* As bytes: a version, then for each subject of which anything is known its number and 16 bits a value, low byte first: 0 is
 * not known; shares (cut at 1) and degrees are in equal steps, all else in equal ratios (0.06 %). Returns how many were
 * written; 0: nothing is known. */
size_t sample_pack(const struct sample *sample, uint8_t to[static SAMPLE_BYTES_MAX]);
/* 0; SP_EFORMAT: these are no such bytes. */
int sample_unpack(const uint8_t *bytes, size_t n, struct sample *out);

#endif
