#include "filling.h"

#include <stdlib.h>
#include <string.h>

#define SPAN_MIN_S 3600.0
#define POINTS_MIN 10
#define FIT_MIN 0.8
#define FULL_MAX_S (30.0 * 86400)
/* Less than that, over all points, is noise: logs that come and go. */
#define GROWTH_MIN_BYTES (64.0 * 1024 * 1024)
#define GROWTH_MIN_SHARE 0.0005

static const struct filling_point *point(const struct filling *filling, size_t i) {
    size_t first = (filling->next + FILLING_POINTS_MAX - filling->count) % FILLING_POINTS_MAX;
    return &filling->points[(first + i) % FILLING_POINTS_MAX];
}

/* Slope of the line in bytes a second, and how well it fits. False when all points are of one moment, or one height. */
static bool fit(const struct filling *filling, double *slope, double *r2) {
    const struct filling_point *first = point(filling, 0);
    double n = (double)filling->count, x_mean = 0, y_mean = 0, xx = 0, xy = 0, yy = 0;
    /* from the first point on: the numbers stay small */
    for (size_t i = 0; i < filling->count; i++) {
        x_mean += (double)(point(filling, i)->at_ms - first->at_ms) / 1000 / n;
        y_mean += (double)(point(filling, i)->available_bytes - first->available_bytes) / n;
    }
    for (size_t i = 0; i < filling->count; i++) {
        double x = (double)(point(filling, i)->at_ms - first->at_ms) / 1000 - x_mean;
        double y = (double)(point(filling, i)->available_bytes - first->available_bytes) - y_mean;
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    if (xx <= 0 || yy <= 0)
        return false;
    *slope = xy / xx;
    *r2 = xy * xy / (xx * yy);
    return true;
}

int64_t filling_full_in_s(const struct filling *filling) {
    double slope, r2;
    if (filling->count < POINTS_MIN)
        return STATUS_UNKNOWN;
    const struct filling_point *last = point(filling, filling->count - 1);
    double span_s = (double)(last->at_ms - point(filling, 0)->at_ms) / 1000;
    if (span_s < SPAN_MIN_S || !fit(filling, &slope, &r2) || slope >= 0 || r2 < FIT_MIN)
        return STATUS_UNKNOWN;
    double growth = -slope * span_s;
    if (growth < GROWTH_MIN_BYTES || growth < GROWTH_MIN_SHARE * (double)filling->total_bytes)
        return STATUS_UNKNOWN;
    double left_s = (double)last->available_bytes / -slope;
    return left_s < FULL_MAX_S ? (int64_t)left_s : STATUS_UNKNOWN;
}

static void add_point(struct filling *filling, uint64_t now_ms, int64_t available_bytes) {
    if (filling->count > 0 && now_ms - point(filling, filling->count - 1)->at_ms < FILLING_STEP_MS)
        return;
    filling->points[filling->next] = (struct filling_point){.at_ms = now_ms, .available_bytes = available_bytes};
    filling->next = (filling->next + 1) % FILLING_POINTS_MAX;
    if (filling->count < FILLING_POINTS_MAX)
        filling->count++;
}

static struct filling *find(struct fillings *fillings, const struct filesystem *filesystem) {
    for (size_t i = 0; i < fillings->count; i++)
        if (strcmp(fillings->items[i]->mount, filesystem->mount) == 0)
            return fillings->items[i];
    if (fillings->count == STATUS_FILESYSTEMS_MAX)
        return NULL;
    struct filling *filling = calloc(1, sizeof *filling);
    if (filling == NULL)
        return NULL;
    memcpy(filling->mount, filesystem->mount, sizeof filling->mount);
    fillings->items[fillings->count++] = filling;
    return filling;
}

/* It was grown, or another one lies there now. What ZFS calls the size changes a little all the time. */
static bool is_another(const struct filling *filling, const struct filesystem *filesystem) {
    return llabs(filling->total_bytes - filesystem->total_bytes) > filling->total_bytes / 20;
}

static void forget_unseen(struct fillings *fillings) {
    size_t left = 0;
    for (size_t i = 0; i < fillings->count; i++) {
        if (fillings->items[i]->seen)
            fillings->items[left++] = fillings->items[i];
        else
            free(fillings->items[i]);
    }
    fillings->count = left;
}

void fillings_update(struct fillings *fillings, uint64_t now_ms, struct status *status) {
    for (size_t i = 0; i < fillings->count; i++)
        fillings->items[i]->seen = false;
    for (size_t i = 0; i < status->filesystem_count; i++) {
        struct filesystem *filesystem = &status->filesystems[i];
        struct filling *filling = find(fillings, filesystem);
        if (filling == NULL)
            continue;
        if (is_another(filling, filesystem))
            filling->count = filling->next = 0;
        filling->total_bytes = filesystem->total_bytes;
        filling->seen = true;
        add_point(filling, now_ms, filesystem->available_bytes);
        filesystem->full_in_s = filling_full_in_s(filling);
    }
    forget_unseen(fillings);
}

void fillings_fini(struct fillings *fillings) {
    for (size_t i = 0; i < fillings->count; i++)
        free(fillings->items[i]);
    fillings->count = 0;
}
