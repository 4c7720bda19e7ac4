#include "sallyport/wire/splice.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/base/buf.h"
#include "splice_pace.h"

/* A pipe costs system calls to make and two descriptors to keep; for a few bytes copying is as quick, and takes a call
 * less, since recv tells that there is no more. So each direction copies until a read fills its space, and again when
 * there is little to carry: idle streams, of which there are many, hold no pipes. */
enum {
    COPY_SIZE = 32768,
    PIPE_SIZE = 262144,
    FEW = 4096,   /* so little through the pipe ... */
    TIMES = 8,    /* ... so often in a row: it is given back */
    STEPS = 16,   /* in one direction; then others have their turn */
    WORTH = 65536 /* less through the pipe while bytes are gathered: the next tick is soon enough for what is behind */
};

/* One direction. */
struct half {
    struct splice *splice;
    int from, to;
    int pipe[2];     /* -1: not made yet */
    size_t held;     /* bytes in the pipe */
    struct buf rest; /* copied, and refused by `to` */
    uint64_t taken;
    bool readable, writable; /* as far as is known: an edge sets them, EAGAIN clears them */
    bool hung_up;            /* an end or an error is behind what can be read: a short read is not the last */
    bool much;               /* worth the pipe */
    unsigned few;            /* times in a row that it was not */
    bool got_end;            /* nothing is pending then */
    bool told_end;
    bool broken;
};

struct splice {
    struct loop_fd watch[2];
    struct loop_task task;
    struct splice_pace pace;
    struct half halves[2]; /* from a, from b */
    bool failed;           /* ends as soon as what has come is carried */
    bool over;
    void (*done)(void *ctx);
    void *ctx;
};

/* False when there is no descriptor left for it. */
static bool half_has_pipe(struct half *half) {
    if (half->pipe[0] >= 0)
        return true;
    if (pipe2(half->pipe, O_NONBLOCK | O_CLOEXEC) < 0) {
        half->pipe[0] = half->pipe[1] = -1;
        return false;
    }
    /* Refused when this user's pipes hold much memory already: a smaller one carries the same, in more steps. */
    (void)fcntl(half->pipe[1], F_SETPIPE_SZ, PIPE_SIZE);
    return true;
}

static void half_drop_pipe(struct half *half) {
    if (half->pipe[0] < 0)
        return;
    (void)close(half->pipe[0]);
    (void)close(half->pipe[1]);
    half->pipe[0] = half->pipe[1] = -1;
}

static bool half_is_pending(const struct half *half) {
    return half->held > 0 || buf_len(&half->rest) > 0;
}

/* After a call that failed: not now, or never again. */
static void half_note(struct half *half, bool *possible) {
    if (errno == EAGAIN)
        *possible = false;
    else if (errno != EINTR)
        half->broken = true;
}

static void half_send(struct half *half, const uint8_t *bytes, size_t n, size_t *sent) {
    ssize_t wrote = send(half->to, bytes, n, MSG_NOSIGNAL);
    if (wrote < 0)
        half_note(half, &half->writable);
    *sent = wrote < 0 ? 0 : (size_t)wrote;
}

static void half_flush(struct half *half) {
    size_t sent;
    if (half->held == 0) {
        half_send(half, buf_head(&half->rest), buf_len(&half->rest), &sent);
        buf_consume(&half->rest, sent);
        return;
    }
    /* The pipe is not empty: EAGAIN is the socket's. */
    ssize_t n = splice(half->pipe[0], NULL, half->to, NULL, half->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n < 0)
        half_note(half, &half->writable);
    else
        half->held -= (size_t)n;
}

/* The pipe is empty: EAGAIN is the socket's. */
static void half_fill(struct half *half) {
    ssize_t n = splice(half->from, NULL, half->pipe[1], NULL, PIPE_SIZE, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n < 0) {
        half_note(half, &half->readable);
        return;
    }
    half->got_end = n == 0;
    half->few = n < FEW ? half->few + 1 : 0;
    half->much = half->few < TIMES;
    half->held = (size_t)n;
    half->taken += half->held;
    if (n < WORTH && splice_pace_gathers(&half->splice->pace))
        half->readable = half->hung_up;
}

static void half_copy(struct half *half) {
    uint8_t bytes[COPY_SIZE];
    size_t sent;
    ssize_t n = recv(half->from, bytes, sizeof(bytes), 0);
    if (n < 0) {
        half_note(half, &half->readable);
        return;
    }
    if (n == 0) {
        half->got_end = true;
        return;
    }
    half->taken += (uint64_t)n;
    half->much = (size_t)n == sizeof(bytes);
    half->few = 0;
    if (!half->much)
        half->readable = half->hung_up;
    half_send(half, bytes, (size_t)n, &sent);
    if (!half->broken && buf_append(&half->rest, bytes + sent, (size_t)n - sent))
        half->broken = true;
}

/* False when nothing more can be done for now. Reads only when all is written: so the peer is held up in time. */
static bool half_step(struct half *half) {
    if (half->broken || !half->writable)
        return false;
    if (half_is_pending(half)) {
        half_flush(half);
        return true;
    }
    if (half->got_end || !half->readable)
        return false;
    if (half->much && half_has_pipe(half)) {
        half_fill(half);
        return true;
    }
    half_drop_pipe(half);
    half_copy(half);
    return true;
}

/* True when its turn ended before its work did. */
static bool half_run(struct half *half) {
    int steps = STEPS;
    while (steps > 0 && half_step(half))
        steps--;
    if (half->got_end && !half->told_end) {
        half->told_end = true;
        (void)shutdown(half->to, SHUT_WR);
    }
    return steps == 0;
}

static void splice_run(struct splice *splice) {
    struct half *a = &splice->halves[0], *b = &splice->halves[1];
    bool more = half_run(a);
    more = half_run(b) || more;
    bool failed = splice->failed || a->broken || b->broken;
    if ((a->told_end && b->told_end) || (failed && !more)) {
        splice_close(splice);
        return;
    }
    splice_pace_note(&splice->pace, a->taken + b->taken);
    if (more)
        loop_task_post(&splice->task);
}

/* While bytes are gathered, each turn serves both directions, so that the few of one do not cost a turn of their own. */
static void splice_due(void *ctx) {
    struct splice *splice = ctx;
    splice->halves[0].readable = splice->halves[1].readable = true;
    splice_run(splice);
}

static void splice_ready(void *ctx, uint32_t events) {
    struct half *half = ctx;
    struct splice *splice = half->splice;
    struct half *other = &splice->halves[half == &splice->halves[0]];
    if (events & EPOLLIN) /* also when there is nothing to read but an end or an error */
        half->readable = true;
    if (events & (EPOLLRDHUP | EPOLLERR))
        half->hung_up = true;
    if (events & EPOLLOUT)
        other->writable = true;
    if (events & EPOLLERR)
        splice->failed = true;
    if (splice_pace_gathers(&splice->pace))
        splice_due(splice);
    else
        splice_run(splice);
}

static void splice_task(void *ctx) {
    struct splice *splice = ctx;
    if (!splice->over) {
        splice_run(splice);
        return;
    }
    splice->done(splice->ctx);
    free(splice);
}

static void half_init(struct half *half, struct splice *splice, int from, int to) {
    static const int on = 1;
    half->splice = splice;
    half->from = from;
    half->to = to;
    half->pipe[0] = half->pipe[1] = -1;
    buf_init(&half->rest);
    (void)setsockopt(to, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* fails, as it should, on a Unix socket */
}

int splice_new(struct loop *loop, int a, int b, void (*done)(void *ctx), void *ctx, struct splice **out) {
    static const uint32_t events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    struct splice *splice = calloc(1, sizeof(*splice));
    if (!splice)
        return SP_ENOMEM;
    half_init(&splice->halves[0], splice, a, b);
    half_init(&splice->halves[1], splice, b, a);
    splice->done = done;
    splice->ctx = ctx;
    loop_task_init(loop, &splice->task, splice_task, splice);
    splice_pace_init(&splice->pace, loop, a, b, splice_due, splice);
    int rc = 0;
    for (int i = 0; i < 2; i++)
        loop_fd_init(&splice->watch[i]);
    for (int i = 0; i < 2 && !rc; i++)
        rc = loop_fd_add(loop, &splice->watch[i], splice->halves[i].from, events, splice_ready, &splice->halves[i]);
    if (rc) {
        loop_fd_remove(&splice->watch[0]);
        free(splice);
        return rc;
    }
    *out = splice;
    return 0;
}

void splice_close(struct splice *splice) {
    if (splice->over)
        return;
    splice->over = true;
    splice_pace_fini(&splice->pace);
    for (int i = 0; i < 2; i++) {
        struct half *half = &splice->halves[i];
        loop_fd_remove(&splice->watch[i]);
        (void)close(half->from);
        buf_wipe(&half->rest);
        half_drop_pipe(half);
    }
    loop_task_post(&splice->task);
}

void splice_count(const struct splice *splice, uint64_t *from_a, uint64_t *from_b) {
    *from_a = splice->halves[0].taken;
    *from_b = splice->halves[1].taken;
}
