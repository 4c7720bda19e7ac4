/* How often a splice is woken: for each piece while little flows, about once a millisecond while much does. Linux. */
#ifndef SALLYPORT_SPLICE_PACE_H
#define SALLYPORT_SPLICE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/base/loop.h"

/* Embedded in its owner. While it gathers, both sockets have a low-water mark (socket(7), SO_RCVLOWAT), so that they
 * report data only when there is much, an end, or an error; what is less is for the ticks. */
struct splice_pace {
    struct loop *loop;
    int fds[2];
    struct loop_fd tick; /* watched while it gathers */
    void (*due)(void *ctx);
    void *ctx;
    uint64_t carried;   /* as told last */
    uint64_t began;     /* `carried` when the count began */
    uint64_t since;     /* loop_now then; in the future while it rests */
    uint64_t free_rate; /* bytes a millisecond before it gathered */
    uint64_t rest_ms;   /* how long the next rest is */
    unsigned ticks;     /* since the count began */
};

/* `due(ctx)` asks to read both sockets now, whatever they report; it may call splice_pace_fini. The descriptors stay the
 * caller's. */
void splice_pace_init(struct splice_pace *pace, struct loop *loop, int a, int b, void (*due)(void *ctx), void *ctx);
/* Before the sockets are closed. Their marks stay as they are. */
void splice_pace_fini(struct splice_pace *pace);

/* To be told after each turn how many bytes were carried so far, in both directions. */
void splice_pace_note(struct splice_pace *pace, uint64_t carried);
bool splice_pace_gathers(const struct splice_pace *pace);

#endif
