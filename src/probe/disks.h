/* The machine's disks, and what they say of their own health now and then, by smartctl where it is installed. */
#ifndef SALLYPORT_PROBE_DISKS_H
#define SALLYPORT_PROBE_DISKS_H

#include <stdint.h>

#include "sallyport/base/loop.h"
#include "sallyport/domain/status.h"

struct disks;

/* `loop` NULL: they are listed, but not asked. 0 or SP_ENOMEM. */
int disks_new(struct loop *loop, const char *root, struct disks **out);
/* NULL is allowed. */
void disks_free(struct disks *disks);

/* Sets the disks of `out`, which has none yet: SATA, SAS, USB and NVMe ones. Starts to ask one of them when its turn has
 * come, every 30 min; one that sleeps is not woken, and keeps what was known of it. When smartctl lacks the right to ask,
 * it is left alone for a day. 0 or SP_ENOMEM. */
int disks_sample(struct disks *disks, uint64_t now_ms, struct status *out);

#endif
