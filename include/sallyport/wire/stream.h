/* A two-way stream of bytes with back-pressure: an SSH channel, a socket; whatever a bridge can join. */
#ifndef SALLYPORT_WIRE_STREAM_H
#define SALLYPORT_WIRE_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stream;

/* What a stream reports to whoever listens. None is called from inside write, eof or close of the same stream. */
struct stream_events {
    /* n bytes came. Returns how many were taken; when fewer than n, the stream keeps the rest, stops reading, and
     * offers it again after resume. */
    size_t (*data)(void *ctx, const uint8_t *bytes, size_t n);
    /* The peer will send no more. Comes after all data was taken. */
    void (*end)(void *ctx);
    /* A write was short before and may now be tried again. */
    void (*writable)(void *ctx);
    /* It is over, in both directions; comes after all data was taken, or at once when the connection is lost. The last
     * event; the listener now calls close. */
    void (*closed)(void *ctx);
};

struct stream_ops {
    /* Takes up to n bytes, returns how many (0: not now, `writable` follows) or SP_ECLOSED. */
    ssize_t (*write)(struct stream *stream, const uint8_t *bytes, size_t n);
    /* No more will be written; reading goes on. */
    void (*end)(struct stream *stream);
    /* Data that was refused may be offered again (from inside this call, too). */
    void (*resume)(struct stream *stream);
    /* Gives the stream up: what was written still goes out, nothing is reported any more, storage is freed later. */
    void (*close)(struct stream *stream);
};

struct stream {
    const struct stream_ops *ops;
    const struct stream_events *events; /* set by stream_listen */
    void *ctx;
};

static inline void stream_listen(struct stream *stream, const struct stream_events *events, void *ctx) {
    stream->events = events;
    stream->ctx = ctx;
}

#endif
