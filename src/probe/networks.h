/* The machine's real networks, and how much passes through each. */
#ifndef SALLYPORT_PROBE_NETWORKS_H
#define SALLYPORT_PROBE_NETWORKS_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/status.h"

struct network_counters {
    char name[32];
    uint64_t received, sent;
};

/* What was counted in the last sample. */
struct networks {
    struct network_counters items[STATUS_NETWORKS_MAX];
    size_t count;
    uint64_t at_ms;
};

/* Sets the networks of `out`, which has none yet, and their sums: those with a device of their own, and bonds in place of
 * their parts; nothing that exists in the kernel alone. One that is new, or whose counters went back, has no rates this
 * time, and is not in the sums. 0 or SP_ENOMEM. */
int networks_sample(const char *root, uint64_t now_ms, struct networks *before, struct status *out);

#endif
