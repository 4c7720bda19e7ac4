/* The filesystems of the machine that hold files on a disk of its own. */
#ifndef SALLYPORT_PROBE_FILESYSTEMS_H
#define SALLYPORT_PROBE_FILESYSTEMS_H

#include <stdbool.h>

#include "sallyport/domain/status.h"

struct mount {
    char device[24]; /* "254:0" */
    bool whole;      /* the filesystem's own root is mounted here, not a part of it */
    char path[256];
    char type[32];
};

struct mounts {
    struct mount items[STATUS_FILESYSTEMS_MAX];
    size_t count;
};

/* Takes the real filesystems from the lines of mountinfo, proc_pid_mountinfo(5); `text` is changed. Lines that make no
 * sense are passed over. */
void mounts_parse(char *text, struct mounts *out);

/* Sets the filesystems of `out`, which has none yet: real ones only, neither the kernel's own, nor squashfs images, nor
 * network ones, on which a call may hang. 0, SP_ESYS, SP_ETOOBIG (mountinfo over 1 MiB) or SP_ENOMEM. */
int filesystems_sample(const char *root, struct status *out);

#endif
