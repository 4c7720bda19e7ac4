#include "sallyport/wire/socket_stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"
#include "sallyport/base/list.h"

enum { READ_SIZE = 65536, READS_PER_TURN = 4, LINGER_MS = 5000, MESSAGE_SIZE = 4096 };

struct socket_stream {
    struct stream stream;
    struct loop *loop;
    struct loop_fd watch;
    struct loop_task task; /* what may not happen inside a call of the owner */
    struct loop_timer linger;
    struct loop_ending ending;
    struct buf held; /* read, and refused by the listener */
    int fd;
    bool tcp;
    bool stopped; /* the listener took less than it was given, or did not begin yet */
    bool want_room;
    bool got_end, told_end, lost, told_lost;
    bool abandoned, sent_end;
};

static struct socket_stream *socket_stream(struct stream *stream) {
    return list_item(stream, struct socket_stream, stream);
}

static void socket_free(struct socket_stream *s) {
    loop_ending_remove(&s->ending);
    loop_task_cancel(&s->task);
    loop_timer_stop(&s->linger);
    loop_fd_remove(&s->watch);
    (void)close(s->fd);
    buf_fini(&s->held);
    free(s);
}

static void socket_ready(void *ctx, uint32_t events);

/* EPOLLHUP and EPOLLERR cannot be masked: a socket whose reading is stopped is taken out of the loop when they come,
 * or the loop would spin. */
static void socket_arm(struct socket_stream *s) {
    uint32_t events = 0;
    if (!s->got_end && !s->lost && (!s->stopped || s->abandoned))
        events |= EPOLLIN;
    if (s->want_room)
        events |= EPOLLOUT;
    if (!events) {
        loop_fd_remove(&s->watch);
        return;
    }
    int rc = s->watch.fd < 0 ? loop_fd_add(s->loop, &s->watch, s->fd, events, socket_ready, s)
                             : loop_fd_set(&s->watch, events);
    if (rc < 0) {
        s->lost = true;
        loop_task_post(&s->task);
    }
}

/* Hands bytes on, and keeps what is refused. */
static void socket_deliver(struct socket_stream *s, const uint8_t *bytes, size_t n) {
    size_t taken = s->abandoned ? n : s->stream.events->data(s->stream.ctx, bytes, n);
    if (taken == n)
        return;
    s->stopped = true;
    if (buf_append(&s->held, bytes + taken, n - taken) < 0)
        s->lost = true;
}

/* A program that writes a message in several pieces, as Jupyter does, is kept by Nagle's rule from sending the second
 * before we have acknowledged the first, and by itself the kernel does that 40 ms later. It forgets what it was told
 * with the next bytes that we send, so it is told every time. */
static void socket_acknowledge(const struct socket_stream *s) {
    int one = 1;
    if (s->tcp)
        (void)setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
}

static void socket_read(struct socket_stream *s) {
    uint8_t bytes[READ_SIZE];
    for (int i = 0; i < READS_PER_TURN && (!s->stopped || s->abandoned); i++) {
        ssize_t n = recv(s->fd, bytes, sizeof bytes, 0);
        if (n > 0) {
            if (n < MESSAGE_SIZE)
                socket_acknowledge(s);
            socket_deliver(s, bytes, (size_t)n);
            if ((size_t)n < sizeof bytes)
                return;
            continue;
        }
        if (n == 0)
            s->got_end = true;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            s->lost = true;
        return;
    }
}

/* Reports what there is to report, and lets an abandoned socket go. */
static void socket_report(struct socket_stream *s) {
    if (s->abandoned) {
        if (s->got_end || s->lost)
            socket_free(s);
        return;
    }
    if (s->lost && !s->told_lost) {
        s->told_lost = true;
        s->stream.events->closed(s->stream.ctx);
    } else if (s->got_end && !s->told_end && !s->stopped) {
        s->told_end = true;
        s->stream.events->end(s->stream.ctx);
    }
}

static void socket_ready(void *ctx, uint32_t events) {
    struct socket_stream *s = ctx;
    if (s->want_room && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
        s->want_room = false;
        if (!s->abandoned)
            s->stream.events->writable(s->stream.ctx);
    }
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        socket_read(s);
    socket_arm(s);
    socket_report(s);
}

static void socket_task(void *ctx) {
    struct socket_stream *s = ctx;
    if (s->abandoned && !loop_timer_is_set(&s->linger)) {
        /* Closing with unread bytes would reset the connection and take what we wrote with it. */
        if (!s->sent_end)
            (void)shutdown(s->fd, SHUT_WR);
        s->want_room = false;
        if (s->got_end || s->lost || loop_timer_set(&s->linger, LINGER_MS) < 0) {
            socket_free(s);
            return;
        }
        loop_ending_leave(s->loop, &s->ending);
        socket_arm(s);
        return;
    }
    socket_report(s);
}

static void socket_linger_over(void *ctx) {
    socket_free(ctx);
}

static ssize_t socket_write(struct stream *stream, const uint8_t *bytes, size_t n) {
    struct socket_stream *s = socket_stream(stream);
    if (s->lost || s->abandoned || s->sent_end)
        return SP_ECLOSED;
    ssize_t sent = send(s->fd, bytes, n, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ENOTCONN)
            return SP_ECLOSED;
        sent = 0;
    }
    if ((size_t)sent < n) {
        s->want_room = true;
        socket_arm(s);
    }
    return sent;
}

static void socket_end(struct stream *stream) {
    struct socket_stream *s = socket_stream(stream);
    if (s->sent_end || s->abandoned)
        return;
    s->sent_end = true;
    (void)shutdown(s->fd, SHUT_WR);
}

static void socket_resume(struct stream *stream) {
    struct socket_stream *s = socket_stream(stream);
    if (s->abandoned)
        return;
    s->stopped = false;
    size_t n = buf_len(&s->held);
    if (n) {
        size_t taken = s->stream.events->data(s->stream.ctx, buf_head(&s->held), n);
        buf_consume(&s->held, taken);
        if (taken < n)
            s->stopped = true;
    }
    socket_arm(s);
    if (s->got_end)
        loop_task_post(&s->task);
}

static void socket_close(struct stream *stream) {
    struct socket_stream *s = socket_stream(stream);
    s->abandoned = true;
    loop_task_post(&s->task);
}

static const struct stream_ops socket_ops = {
    .write = socket_write, .end = socket_end, .resume = socket_resume, .close = socket_close};

static bool is_tcp(int fd) {
    int protocol = 0;
    socklen_t len = sizeof protocol;
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 && protocol == IPPROTO_TCP;
}

int socket_stream_new(struct loop *loop, int fd, struct stream **out) {
    struct socket_stream *s = calloc(1, sizeof *s);
    if (!s) {
        (void)close(fd);
        return SP_ENOMEM;
    }
    s->stream.ops = &socket_ops;
    s->loop = loop;
    s->fd = fd;
    s->tcp = is_tcp(fd);
    s->stopped = true;
    buf_init(&s->held);
    loop_fd_init(&s->watch);
    loop_task_init(loop, &s->task, socket_task, s);
    loop_timer_init(loop, &s->linger, socket_linger_over, s);
    loop_ending_add(loop, &s->ending, socket_linger_over, s);
    *out = &s->stream;
    return 0;
}
