/* Keeps a punched connection until somebody takes it. */
#ifndef SALLYPORT_CLI_PUNCHED_KEEP_H
#define SALLYPORT_CLI_PUNCHED_KEEP_H

#include "memory.h"

/* For at most `ms`; changes the working folder of this process. 0: it was taken; SP_ETIMEOUT, SP_ECLOSED (the door gave
 * up), SP_ESYS. The descriptor stays the caller's. */
int punched_keep(const char *state, const struct memory_entry *entry, int fd, uint64_t ms);

#endif
