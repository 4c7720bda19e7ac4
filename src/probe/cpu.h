/* The processors: how many, how busy, how long work waits for them, for memory and for disks. */
#ifndef SALLYPORT_PROBE_CPU_H
#define SALLYPORT_PROBE_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/domain/status.h"

/* The counters of the last sample. */
struct cpu_counters {
    bool known;
    uint64_t busy, total;
};

/* Sets cpu_count, cpu_used_share (the part of the time since the last call), the loads, the pressures and uptime_s. */
void cpu_sample(const char *root, struct cpu_counters *counters, struct status *out);

#endif
