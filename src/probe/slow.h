/* What a sick device can hold up: filesystems, sensors, power. Read on a thread, so that it holds up nothing else. */
#ifndef SALLYPORT_PROBE_SLOW_H
#define SALLYPORT_PROBE_SLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/base/work.h"
#include "sallyport/domain/status.h"

struct slow;

/* `work` NULL: read in slow_sample itself. 0 or SP_ENOMEM. */
int slow_new(struct work *work, const char *root, struct slow **out);
/* NULL is allowed. What is being read is thrown away when it is there. */
void slow_free(struct slow *slow);

/* Begins to read, unless that is under way, or was done within the last 9 s. */
void slow_begin(struct slow *slow, uint64_t now_ms);
/* Puts what was read last into `out`: filesystems, sensors, cpu_temperature_celsius, power_watts; nothing when that is
 * older than a minute. *power_is_whole is power_sample's. 0 or SP_ENOMEM. */
int slow_sample(struct slow *slow, uint64_t now_ms, struct status *out, bool *power_is_whole);

#endif
