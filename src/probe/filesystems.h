/* The filesystems of the machine that hold files on a disk of its own. */
#ifndef SALLYPORT_PROBE_FILESYSTEMS_H
#define SALLYPORT_PROBE_FILESYSTEMS_H

#include "sallyport/domain/status.h"

/* Sets the filesystems of `out`, which has none yet. 0, SP_ESYS, SP_ETOOBIG (mountinfo over 1 MiB) or SP_ENOMEM. */
int filesystems_sample(const char *root, struct status *out);

#endif
