#include "sallyport/wire/bridge.h"

#include <stdbool.h>
#include <stdlib.h>

#include "sallyport/base/err.h"

struct half {
    struct bridge *bridge;
    struct stream *stream;
    struct half *other;
    uint64_t taken; /* bytes from this stream that the other one took */
    bool ended;     /* this stream's peer sends no more */
};

struct bridge {
    struct loop_task task;
    struct half halves[2];
    bool over;
    void (*done)(void *ctx);
    void *ctx;
};

static size_t half_data(void *ctx, const uint8_t *bytes, size_t n) {
    struct half *half = ctx;
    if (half->bridge->over)
        return 0;
    struct stream *to = half->other->stream;
    ssize_t taken = to->ops->write(to, bytes, n);
    if (taken < 0) {
        bridge_close(half->bridge);
        return 0;
    }
    half->taken += (uint64_t)taken;
    return (size_t)taken;
}

static void half_end(void *ctx) {
    struct half *half = ctx;
    if (half->bridge->over)
        return;
    half->ended = true;
    half->other->stream->ops->end(half->other->stream);
    if (half->other->ended)
        bridge_close(half->bridge);
}

static void half_writable(void *ctx) {
    struct half *half = ctx;
    if (half->bridge->over)
        return;
    half->other->stream->ops->resume(half->other->stream);
}

static void half_closed(void *ctx) {
    struct half *half = ctx;
    bridge_close(half->bridge);
}

static const struct stream_events half_events = {
    .data = half_data, .end = half_end, .writable = half_writable, .closed = half_closed};

/* Not inside an event: the streams may be in the middle of calling us. */
static void bridge_finish(void *ctx) {
    struct bridge *bridge = ctx;
    for (int i = 0; i < 2; i++)
        bridge->halves[i].stream->ops->close(bridge->halves[i].stream);
    bridge->done(bridge->ctx);
    free(bridge);
}

void bridge_close(struct bridge *bridge) {
    bridge->over = true;
    loop_task_post(&bridge->task);
}

int bridge_new(struct loop *loop, struct stream *a, struct stream *b, void (*done)(void *ctx), void *ctx,
               struct bridge **out) {
    struct bridge *bridge = calloc(1, sizeof *bridge);
    if (!bridge)
        return SP_ENOMEM;
    loop_task_init(loop, &bridge->task, bridge_finish, bridge);
    bridge->done = done;
    bridge->ctx = ctx;
    struct stream *streams[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        struct half *half = &bridge->halves[i];
        half->bridge = bridge;
        half->stream = streams[i];
        half->other = &bridge->halves[1 - i];
        stream_listen(half->stream, &half_events, half);
    }
    *out = bridge;
    a->ops->resume(a);
    b->ops->resume(b);
    return 0;
}

void bridge_count(const struct bridge *bridge, uint64_t *from_a, uint64_t *from_b) {
    *from_a = bridge->halves[0].taken;
    *from_b = bridge->halves[1].taken;
}
