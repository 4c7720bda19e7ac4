/* Joins two streams: what comes from one goes to the other, with back-pressure and half-close in both directions. */
#ifndef SALLYPORT_WIRE_BRIDGE_H
#define SALLYPORT_WIRE_BRIDGE_H

#include <stdint.h>

#include "sallyport/base/loop.h"
#include "sallyport/wire/stream.h"

struct bridge;

/* Takes both streams over and starts. When both directions have ended, or one side is closed, both streams are closed,
 * `done(ctx)` is called once in a later round, and the bridge is freed after it. SP_ENOMEM: the streams stay the
 * caller's. */
int bridge_new(struct loop *loop, struct stream *a, struct stream *b, void (*done)(void *ctx), void *ctx,
               struct bridge **out);
/* Ends it now: both streams are closed; `done` follows. */
void bridge_close(struct bridge *bridge);

/* Bytes taken from a and from b so far. */
void bridge_count(const struct bridge *bridge, uint64_t *from_a, uint64_t *from_b);

#endif
