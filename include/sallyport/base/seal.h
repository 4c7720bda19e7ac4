/* Gives up rights for good, by the kernel's Landlock: of files what is not allowed, and all starting of programs. */
#ifndef SALLYPORT_BASE_SEAL_H
#define SALLYPORT_BASE_SEAL_H

#include <stdbool.h>
#include <stdint.h>

/* What is to be allowed; nothing is denied before seal_apply. Embedded in its owner. */
struct seal {
    int fd;         /* the set of rules, owned */
    int version;    /* of the kernel's interface: 1 is Linux 5.13 */
    uint64_t files; /* the rights over files that this version can deny (landlock(7), "Filesystem actions") */
};

enum seal_right {
    SEAL_READ,  /* files and folders may be opened for reading */
    SEAL_WRITE, /* and files written, made, cut short, renamed in their folder and removed; no folders, sockets, links */
};

/* 0. SP_ENOENT: this kernel has no Landlock, or does not let us use it (errno); SP_ESYS with errno. */
int seal_init(struct seal *seal);
/* After a seal_init that failed, and twice, too. What was applied stays. */
void seal_fini(struct seal *seal);

/* Allows it for what lies at and beneath `path`, wherever its symbolic links lead now. It is the folder of this moment
 * that is meant: not another one that takes its name later. SP_ENOENT: there is none; SP_ESYS with errno. */
int seal_allow(struct seal *seal, const char *path, enum seal_right right);

/* From now on this thread, and those that it starts, may only do what was allowed; what is open stays open. Nothing can
 * be executed. Where the kernel can deny it, no TCP port can be bound (version 4), no device controlled (5), and no
 * process or abstract socket reached but of those sealed alike (6). 0 or SP_ESYS with errno: then nothing is denied. */
int seal_apply(const struct seal *seal);

/* Whether the file would be ours to read by its mode, and a seal is what forbids it. */
bool seal_denies(const char *path);

#endif
