/* The machine itself: load, memory, filesystems, uptime, and the names by which it is told apart. */
#ifndef SALLYPORT_PROBE_SYSTEM_H
#define SALLYPORT_PROBE_SYSTEM_H

#include <stddef.h>

#include "sallyport/domain/status.h"

/* In all of this room `root` stands before /proc, /sys, /etc and /home: "" for the machine itself, a folder of
 * fixtures in tests. */

/* Measures what can be known now into `out`, whatever was there before (the caller's: status_fini); a value that cannot
 * be read is not known. Real filesystems only: neither the kernel's own, nor squashfs images, nor network ones, on
 * which a call may hang. 0 or SP_ENOMEM. */
int system_sample(const char *root, struct status *out);

/* The kernel's random name for this boot, 36 characters: 0, SP_ESYS or SP_EFORMAT. */
#define SYSTEM_BOOT_ID_SIZE 37
int system_boot_id(const char *root, char to[static SYSTEM_BOOT_ID_SIZE]);
/* The kernel's host name: 0, SP_ESYS, SP_EFORMAT, or SP_ETOOBIG when it does not fit. */
int system_hostname(const char *root, char *to, size_t size);

#endif
