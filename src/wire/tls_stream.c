/* What is inside TLS, as a stream: reads and writes batches of records, and sees a connection to its end. */
#include "tls_local.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "sallyport/base/log.h"

enum {
    READ_SIZE = 65536,
    READS_PER_TURN = 4, /* before others get their turn */
    RECORD = 16384,
    BATCH = 4 * RECORD,
    RECORD_EXTRA = 64, /* a record's head and tag, and more than that */
    DRAIN_MS = 20000,  /* after close: to take some more of what was written */
    LINGER_MS = 3000,  /* to read on after our last byte, so that no reset overtakes it */
};

struct tls_stream {
    struct stream stream;
    struct loop *loop;
    SSL *ssl;
    struct tls_io *io;
    struct loop_fd watch;
    struct loop_task task; /* what may not happen inside a call of the owner, or has used up its turn */
    struct loop_timer timer;
    struct loop_ending ending;
    struct buf held;        /* read, and refused by the listener */
    bool begun;             /* the listener wants to hear of it */
    bool stopped;           /* the listener took less than it was given, or did not begin yet */
    bool offering, resumed; /* inside `data`, and resumed from there */
    bool more;              /* OpenSSL or the socket may have something to read */
    bool got_end;           /* the peer's close_notify came */
    bool lost;              /* nothing more can be done with it */
    bool told_end, told_lost;
    bool want_room;          /* a write was short */
    bool sent_end, shut;     /* close_notify was written; it is out, and our FIN with it */
    bool abandoned, leaving; /* closed by its owner; and the task has begun to end it */
};

static struct tls_stream *tls_stream(struct stream *stream) {
    return list_item(stream, struct tls_stream, stream);
}

static void stream_free(void *ctx) {
    struct tls_stream *s = ctx;
    loop_ending_remove(&s->ending);
    loop_task_cancel(&s->task);
    loop_timer_stop(&s->timer);
    loop_fd_remove(&s->watch);
    tls_io_free(s->io, s->ssl);
    buf_fini(&s->held);
    free(s);
}

/* Sends what waits, and our FIN after the last of it. */
static void stream_flush(struct tls_stream *s) {
    bool moved = tls_io_flush(s->io);
    s->lost |= s->io->lost;
    bool last = s->sent_end && !s->shut && !s->lost && !buf_len(&s->io->out);
    if (last) {
        s->shut = true;
        (void)shutdown(s->io->fd, SHUT_WR);
    }
    if (s->leaving && (moved || last) && loop_timer_set(&s->timer, s->shut ? LINGER_MS : DRAIN_MS)) {
        s->lost = true;
    }
}

/* Returns how many of the bytes the listener took. */
static size_t stream_offer(struct tls_stream *s, const uint8_t *bytes, size_t n) {
    s->offering = true;
    s->resumed = false;
    size_t taken = s->stream.events->data(s->stream.ctx, bytes, n);
    s->offering = false;
    if (taken < n) {
        s->stopped = !s->resumed;
        if (s->resumed) {
            loop_task_post(&s->task);
        }
    }
    return taken;
}

static void stream_deliver(struct tls_stream *s, const uint8_t *bytes, size_t n) {
    if (s->abandoned) {
        return;
    }
    size_t taken = stream_offer(s, bytes, n);
    if (taken < n && !s->abandoned && buf_append(&s->held, bytes + taken, n - taken)) {
        s->lost = true;
    }
}

static void stream_offer_held(struct tls_stream *s) {
    size_t n = buf_len(&s->held);
    if (n && !s->stopped && !s->abandoned) {
        buf_consume(&s->held, stream_offer(s, buf_head(&s->held), n));
    }
}

/* May something be read and handed on now? */
static bool stream_reads(const struct tls_stream *s) {
    return s->more && !s->lost && (s->abandoned || (!s->stopped && !buf_len(&s->held)));
}

/* Fills the buffer with as many records as there are, so that the listener is called seldom. */
static size_t stream_fill(struct tls_stream *s, uint8_t *to, size_t size) {
    size_t have = 0, waiting = buf_len(&s->io->out);
    ERR_clear_error();
    while (have < size) {
        int n = SSL_read(s->ssl, to + have, (int)(size - have));
        if (n > 0) {
            have += (size_t)n;
            continue;
        }
        int verdict = tls_verdict(s->ssl, n);
        s->more = false;
        s->got_end |= verdict == SP_ECLOSED;
        if (verdict == SP_ECRYPTO && !s->io->cut) {
            log_debug("tls: connection lost: %s", tls_reason());
            s->lost = true;
        }
        break;
    }
    if (!waiting && buf_len(&s->io->out)) {
        /* OpenSSL had something to say itself: an alert, the answer to a key update. */
        stream_flush(s);
    }
    return have;
}

static void stream_read(struct tls_stream *s) {
    uint8_t bytes[READ_SIZE];
    for (int i = 0; i < READS_PER_TURN && stream_reads(s); i++) {
        size_t n = stream_fill(s, bytes, sizeof(bytes));
        if (n) {
            stream_deliver(s, bytes, n);
        }
    }
    if (stream_reads(s)) {
        loop_task_post(&s->task);
    }
}

/* Reports what there is to report, and lets an abandoned one go. */
static void stream_report(struct tls_stream *s) {
    bool all_taken = !s->stopped && !buf_len(&s->held);
    if (s->abandoned) {
        if (s->leaving && (s->lost || (s->shut && (s->got_end || s->io->cut)))) {
            stream_free(s);
        }
    } else if (!s->begun) {
        return;
    } else if ((s->lost || (s->io->cut && !s->got_end && all_taken)) && !s->told_lost) {
        s->told_lost = true;
        s->stream.events->closed(s->stream.ctx);
    } else if (s->got_end && all_taken && !s->told_end && !s->told_lost) {
        s->told_end = true;
        s->stream.events->end(s->stream.ctx);
    }
}

static void stream_ready(void *ctx, uint32_t events) {
    struct tls_stream *s = ctx;
    tls_io_wake(s->io, events);
    s->more |= !s->io->drained;
    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
        stream_flush(s);
    }
    if (s->want_room && !buf_len(&s->io->out) && !s->abandoned && !s->lost) {
        s->want_room = false;
        s->stream.events->writable(s->stream.ctx);
    }
    stream_read(s);
    s->lost |= (events & EPOLLERR) != 0;
    stream_report(s);
}

static int stream_say_end(struct tls_stream *s) {
    s->sent_end = true;
    ERR_clear_error();
    int n = SSL_shutdown(s->ssl);
    if (n < 0) {
        s->lost = true;
        return SP_ECRYPTO;
    }
    stream_flush(s);
    return 0;
}

static void stream_leave(struct tls_stream *s) {
    s->leaving = true;
    loop_ending_leave(s->loop, &s->ending);
    buf_fini(&s->held);
    if (loop_timer_set(&s->timer, s->shut ? LINGER_MS : DRAIN_MS)) {
        s->lost = true;
    }
    if (!s->sent_end && !s->lost) {
        (void)stream_say_end(s);
    }
}

static void stream_task(void *ctx) {
    struct tls_stream *s = ctx;
    if (s->abandoned && !s->leaving) {
        stream_leave(s);
    }
    stream_offer_held(s);
    stream_read(s);
    stream_report(s);
}

static ssize_t tls_stream_write(struct stream *stream, const uint8_t *bytes, size_t n) {
    struct tls_stream *s = tls_stream(stream);
    size_t done = 0;
    if (s->lost || s->abandoned || s->sent_end) {
        return SP_ECLOSED;
    }
    ERR_clear_error();
    while (done < n && !buf_len(&s->io->out)) {
        size_t batch = n - done < BATCH ? n - done : BATCH;
        uint8_t *unused;
        if (buf_reserve(&s->io->out, batch + (batch / RECORD + 1) * RECORD_EXTRA, &unused) ||
            SSL_write(s->ssl, bytes + done, (int)batch) != (int)batch) {
            s->lost = true;
        } else {
            stream_flush(s);
        }
        if (s->lost) {
            loop_task_post(&s->task);
            return SP_ECLOSED;
        }
        done += batch;
    }
    s->want_room |= done < n;
    return (ssize_t)done;
}

static void tls_stream_end(struct stream *stream) {
    struct tls_stream *s = tls_stream(stream);
    if (s->sent_end || s->abandoned || s->lost) {
        return;
    }
    if (stream_say_end(s)) {
        loop_task_post(&s->task);
    }
}

static void tls_stream_resume(struct stream *stream) {
    struct tls_stream *s = tls_stream(stream);
    if (s->abandoned) {
        return;
    }
    s->begun = true;
    s->stopped = false;
    if (s->offering) {
        s->resumed = true;
        return;
    }
    stream_offer_held(s);
    if (s->more || s->got_end || s->io->cut || s->lost) {
        loop_task_post(&s->task);
    }
}

static void tls_stream_close(struct stream *stream) {
    struct tls_stream *s = tls_stream(stream);
    s->abandoned = true;
    loop_task_post(&s->task);
}

int tls_stream_new(struct loop *loop, SSL *ssl, struct tls_io *io, struct stream **out) {
    static const struct stream_ops ops = {
        .write = tls_stream_write, .end = tls_stream_end, .resume = tls_stream_resume, .close = tls_stream_close};
    struct tls_stream *s = calloc(1, sizeof(*s));
    if (!s) {
        return SP_ENOMEM;
    }
    loop_fd_init(&s->watch);
    int rc = loop_fd_add(loop, &s->watch, io->fd, TLS_EVENTS, stream_ready, s);
    if (rc) {
        free(s);
        return rc;
    }
    s->stream.ops = &ops;
    s->loop = loop;
    s->ssl = ssl;
    s->io = io;
    s->stopped = true;
    /* What came with the last message of the handshake is inside OpenSSL, and no event tells of it. */
    s->more = true;
    buf_init(&s->held);
    loop_task_init(loop, &s->task, stream_task, s);
    loop_timer_init(loop, &s->timer, stream_free, s);
    loop_ending_add(loop, &s->ending, stream_free, s);
    *out = &s->stream;
    return 0;
}
