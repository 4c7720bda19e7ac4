/* Joins two sockets in the kernel: splice(2) through two pipes, without a copy into this process; with back-pressure and
 * half-close in both directions. Linux. */
#ifndef SALLYPORT_WIRE_SPLICE_H
#define SALLYPORT_WIRE_SPLICE_H

#include <stdint.h>

#include "sallyport/base/err.h"
#include "sallyport/base/loop.h"

struct splice;

/* Takes both connected, non-blocking TCP or Unix sockets over and starts; what was read from a or b already must have
 * been written by the caller. When both directions have ended, or one side is broken, both are closed, `done(ctx)` is
 * called once in a later round, and the splice is freed after it. SP_ENOMEM, SP_ESYS (no descriptors left): the sockets
 * stay the caller's. */
int splice_new(struct loop *loop, int a, int b, void (*done)(void *ctx), void *ctx, struct splice **out);
/* Ends it now: both sockets are closed; `done` follows. */
void splice_close(struct splice *splice);

/* Bytes taken from a and from b so far. */
void splice_count(const struct splice *splice, uint64_t *from_a, uint64_t *from_b);

#endif
