/* The machine itself: how busy, how full and how hot it is, and the names by which it is told apart. */
#ifndef SALLYPORT_PROBE_SYSTEM_H
#define SALLYPORT_PROBE_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/loop.h"
#include "sallyport/base/work.h"
#include "sallyport/domain/status.h"

/* In all of this room `root` stands before /proc, /sys, /etc, /usr and /home: "" for the machine itself, a folder of
 * fixtures in tests. */

/* What has to be remembered from one sample to the next: counters, how full the disks were, what disks said of their
 * health. */
struct system_probe;

/* With `work`, what a sick device can hold up (sensors, filesystems, power) is read on one of its threads, for the first
 * time at once, and a sample has what was there last; NULL: in the sample itself. With `loop` disks are asked for their
 * health, by smartctl in a child process; NULL: they are not. Both outlive the probe. 0 or SP_ENOMEM. */
int system_probe_new(struct loop *loop, struct work *work, const char *root, struct system_probe **out);
/* NULL is allowed. */
void system_probe_free(struct system_probe *probe);

/* Measures what can be known now into `out`, which is overwritten (the caller's: status_fini); a value that cannot be
 * read is not known, and neither is a rate in the first sample. `now_ms` is of a clock that does not jump. Neither GPUs
 * nor processes are in it. 0 or SP_ENOMEM. */
int system_probe_sample(struct system_probe *probe, uint64_t now_ms, struct status *out);

/* Adds the power of the GPUs in `status`, a sample of this probe, to the machine's, unless what was measured has them in
 * it: a power supply's or a battery's figure is the whole machine's, while that of the processor (RAPL) leaves out GPUs
 * with a memory of their own. */
void system_probe_add_gpu_power(const struct system_probe *probe, struct status *status);

/* The kernel's random name for this boot, 36 characters: 0, SP_ESYS or SP_EFORMAT. */
#define SYSTEM_BOOT_ID_SIZE 37
int system_boot_id(const char *root, char to[static SYSTEM_BOOT_ID_SIZE]);
/* The kernel's host name: 0, SP_ESYS, SP_EFORMAT, or SP_ETOOBIG when it does not fit. */
int system_hostname(const char *root, char *to, size_t size);

#endif
