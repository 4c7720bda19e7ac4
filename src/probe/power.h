/* What the machine draws, or what of it can be read. */
#ifndef SALLYPORT_PROBE_POWER_H
#define SALLYPORT_PROBE_POWER_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/domain/status.h"

#define POWER_ZONES_MAX 16

/* An energy counter of the processor's (RAPL), as it was read last. */
struct power_zone {
    char name[64];
    int64_t energy_uj;
    uint64_t at_ms;
};

struct power {
    struct power_zone zones[POWER_ZONES_MAX];
    unsigned count;
};

/* Sets power_watts; *is_whole says whether that is the whole machine, with its GPUs, or its processors and memory only.
 * In this order: a battery that is being discharged; a power supply or meter that tells it (hwmon); the processor's own
 * figure for the platform (RAPL psys); its figures for packages and memory together, which root alone may read. The
 * latter two are differences of counters, so not known the first time. */
void power_sample(const char *root, uint64_t now_ms, struct power *power, struct status *out, bool *is_whole);

#endif
