/* When a filesystem will be full, if it goes on as in the last hours. */
#ifndef SALLYPORT_PROBE_FILLING_H
#define SALLYPORT_PROBE_FILLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/status.h"

/* A look every 5 min, for 6 h. */
#define FILLING_STEP_MS (5 * 60 * 1000U)
#define FILLING_POINTS_MAX 72

struct filling_point {
    uint64_t at_ms;
    int64_t available_bytes;
};

/* What was seen of one filesystem. */
struct filling {
    char mount[256];
    int64_t total_bytes;
    struct filling_point points[FILLING_POINTS_MAX];
    size_t count, next; /* next: where the next point is written */
    bool seen;          /* in the round that is under way */
};

/* Seconds until nothing is available, by a straight line through the points (least squares); STATUS_UNKNOWN unless that
 * means something: an hour of points, a line that fits (r2 over 0.8), more than noise, and an end within 30 days. */
int64_t filling_full_in_s(const struct filling *filling);

/* All filesystems' histories. */
struct fillings {
    struct filling *items[STATUS_FILESYSTEMS_MAX]; /* each owned */
    size_t count;
};

/* Notes how full the filesystems of `status` are and sets their full_in_s; those that are gone are forgotten. Without
 * memory some are not watched. */
void fillings_update(struct fillings *fillings, uint64_t now_ms, struct status *status);
void fillings_fini(struct fillings *fillings);

#endif
