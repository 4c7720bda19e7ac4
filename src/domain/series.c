/* The series of a machine: what they are called, what a status says of them, and means over time. */
#include "sallyport/domain/series.h"

#include <math.h>
#include <string.h>

static const struct series_about machine_series[] = {
    {"cpu_used_share", false},
    {"memory_used_share", false},
    {"swap_used_share", false},
    {"cpu_temperature_celsius", true},
    {"received_bytes_per_second", false},
    {"sent_bytes_per_second", false},
    {"power_watts", false},
    {NULL, false},
};
static const struct series_about gpu_series[] = {
    {"used_share", false}, {"memory_used_share", false}, {"temperature_celsius", true}, {"power_watts", false},
    {NULL, false},
};
static const struct series_about filesystem_series[] = {
    {"used_share", false},
    {NULL, false},
};

bool series_kind_of(unsigned subject, enum series_kind *out) {
    if (subject >= SUBJECT_IDS)
        return false;
    *out = subject == SUBJECT_MACHINE_ID        ? SERIES_MACHINE
           : subject < SUBJECT_FILESYSTEM_FIRST ? SERIES_GPU
                                                : SERIES_FILESYSTEM;
    return true;
}

const struct series_about *series_of(enum series_kind kind) {
    switch (kind) {
    case SERIES_GPU:
        return gpu_series;
    case SERIES_FILESYSTEM:
        return filesystem_series;
    case SERIES_MACHINE:
        break;
    }
    return machine_series;
}

static float share(int64_t part, int64_t whole) {
    return part < 0 || whole <= 0 ? NAN : (float)((double)part / (double)whole);
}

static void blank(struct sample_group *group) {
    for (size_t i = 0; i < SERIES_PER_SUBJECT_MAX; i++)
        group->values[i] = NAN;
}

void series_of_machine(const struct status *status, struct sample_group *out) {
    const double values[] = {status->cpu_used_share,
                             share(status->memory_used_bytes, status->memory_total_bytes),
                             share(status->swap_used_bytes, status->swap_total_bytes),
                             status->cpu_temperature_celsius,
                             status->received_bytes_per_second,
                             status->sent_bytes_per_second,
                             status->power_watts};
    blank(out);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        out->values[i] = (float)values[i];
}

void series_of_gpu(const struct gpu *gpu, struct sample_group *out) {
    blank(out);
    out->values[0] = (float)gpu->used_share;
    out->values[1] = share(gpu->memory_used_bytes, gpu->memory_total_bytes);
    out->values[2] = (float)gpu->temperature_celsius;
    out->values[3] = (float)gpu->power_watts;
}

void series_of_filesystem(const struct filesystem *filesystem, struct sample_group *out) {
    blank(out);
    out->values[0] = share(filesystem->used_bytes, filesystem->total_bytes);
}

/* The place of that subject, or a new one; SAMPLE_GROUPS_MAX: there is none. */
static size_t place_of(struct sample_sum *sum, uint8_t subject) {
    size_t i = 0;
    while (i < sum->count && sum->groups[i].subject != subject)
        i++;
    if (i == sum->count && i < SAMPLE_GROUPS_MAX) {
        memset(&sum->groups[i], 0, sizeof(sum->groups[i]));
        sum->groups[i].subject = subject;
        sum->count++;
    }
    return i;
}

void sample_sum_add(struct sample_sum *sum, const struct sample *sample) {
    for (size_t g = 0; g < sample->count; g++) {
        const struct sample_group *group = &sample->groups[g];
        enum series_kind kind;
        size_t at = series_kind_of(group->subject, &kind) ? place_of(sum, group->subject) : SAMPLE_GROUPS_MAX;
        if (at == SAMPLE_GROUPS_MAX)
            continue;
        const struct series_about *about = series_of(kind);
        for (size_t i = 0; about[i].name; i++) {
            double value = group->values[i];
            if (!isfinite(value))
                continue;
            double *to = &sum->groups[at].sum[i];
            uint32_t n = sum->groups[at].n[i]++;
            *to = !about[i].highest ? *to + value : n == 0 || value > *to ? value : *to;
        }
    }
}

void sample_sum_end(const struct sample_sum *sum, struct sample *out) {
    out->count = sum->count;
    for (size_t g = 0; g < sum->count; g++) {
        enum series_kind kind = SERIES_MACHINE;
        struct sample_group *group = &out->groups[g];
        group->subject = sum->groups[g].subject;
        blank(group);
        (void)series_kind_of(group->subject, &kind);
        const struct series_about *about = series_of(kind);
        for (size_t i = 0; about[i].name; i++) {
            uint32_t n = sum->groups[g].n[i];
            if (n > 0)
                group->values[i] = (float)(about[i].highest ? sum->groups[g].sum[i] : sum->groups[g].sum[i] / n);
        }
    }
}
