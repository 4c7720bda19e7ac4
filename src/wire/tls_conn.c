/* One TLS connection: the handshake, then four steps of a pump between the peer and a plain socket. */
#include "tls_local.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/base/log.h"
#include "sallyport/base/os.h"

#define HELD_MAX ((size_t)65536) /* bytes that wait in one direction */
#define STEP ((size_t)16384)     /* one TLS record */
#define BUDGET 16                /* rounds of the pump before others get their turn */
#define DRAIN_MS 20000           /* to take the last bytes after the plain side has gone */
#define LINGER_MS 3000           /* to read on after our last byte, so that no reset overtakes it */
#define EVENTS ((uint32_t)(EPOLLIN | EPOLLOUT | EPOLLRDHUP) | (uint32_t)EPOLLET)

static void conn_close(struct tls_conn *conn) {
    list_remove(&conn->link);
    loop_timer_stop(&conn->timer);
    loop_task_cancel(&conn->more);
    int socket_fd = conn->socket.fd, plain_fd = conn->plain.fd;
    loop_fd_remove(&conn->socket);
    loop_fd_remove(&conn->plain);
    SSL_free(conn->ssl);
    close(socket_fd);
    if (plain_fd >= 0) {
        close(plain_fd);
    }
    buf_fini(&conn->in);
    buf_fini(&conn->out);
    free(conn);
}

void tls_conn_finish(struct tls_conn *conn) {
    const struct tls_events *events = conn->events;
    void *ctx = conn->ctx;
    conn_close(conn);
    events->closed(ctx);
}

void tls_conn_free(struct tls_conn *conn) {
    if (conn) {
        conn_close(conn);
    }
}

/* What a call into OpenSSL that returned n <= 0 means: 0 try again later, SP_ECLOSED the peer closed in order,
 * SP_ECRYPTO the connection is of no more use. */
static int ssl_verdict(struct tls_conn *conn, int n) {
    switch (SSL_get_error(conn->ssl, n)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return SP_ECLOSED;
    default:
        return SP_ECRYPTO;
    }
}

/* Nobody reads the plain side any more. What came from there still goes out, as long as the peer keeps taking it. */
static int conn_drop(struct tls_conn *conn) {
    conn->in_drop = true;
    return loop_timer_set(&conn->timer, conn->out_shut ? LINGER_MS : DRAIN_MS);
}

/* Takes over what was read, if anything: a quiet connection keeps no buffer. */
static void held_commit(struct buf *held, ssize_t n) {
    if (n > 0) {
        buf_commit(held, (size_t)n);
    } else if (!buf_len(held)) {
        buf_fini(held);
    }
}

/* The four steps each return 1 when bytes moved, 0 when none can now, or an error that ends the connection. */

static int step_from_peer(struct tls_conn *conn) {
    if (conn->in_end || buf_len(&conn->in) >= HELD_MAX) {
        return 0;
    }
    uint8_t *tail;
    int rc = buf_reserve(&conn->in, STEP, &tail);
    if (rc) {
        return rc;
    }
    ERR_clear_error();
    int n = SSL_read(conn->ssl, tail, (int)STEP);
    held_commit(&conn->in, n);
    if (n > 0) {
        return 1;
    }
    rc = ssl_verdict(conn, n);
    conn->in_end = rc == SP_ECLOSED;
    return rc == SP_ECRYPTO ? rc : 0;
}

static int step_to_plain(struct tls_conn *conn) {
    size_t held = buf_len(&conn->in);
    if (held && !conn->in_drop) {
        ssize_t n = send(conn->plain.fd, buf_head(&conn->in), held, MSG_NOSIGNAL);
        if (n > 0) {
            buf_consume(&conn->in, (size_t)n);
            return 1;
        }
        if (errno == EAGAIN || errno == EINTR) {
            return 0;
        }
        int rc = conn_drop(conn);
        if (rc) {
            return rc;
        }
    }
    buf_consume(&conn->in, buf_len(&conn->in));
    if (conn->in_end && !conn->in_shut) {
        conn->in_shut = true;
        shutdown(conn->plain.fd, SHUT_WR);
    }
    return held ? 1 : 0;
}

static int step_from_plain(struct tls_conn *conn) {
    if (conn->out_end || buf_len(&conn->out) >= HELD_MAX) {
        return 0;
    }
    uint8_t *tail;
    int rc = buf_reserve(&conn->out, STEP, &tail);
    if (rc) {
        return rc;
    }
    ssize_t n = recv(conn->plain.fd, tail, STEP, 0);
    held_commit(&conn->out, n);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        conn->out_end = true;
    }
    return n > 0 ? 1 : 0;
}

static int step_to_peer(struct tls_conn *conn) {
    size_t held = buf_len(&conn->out);
    ERR_clear_error();
    if (held) {
        int n = SSL_write(conn->ssl, buf_head(&conn->out), (int)held);
        if (n <= 0) {
            return ssl_verdict(conn, n);
        }
        buf_consume(&conn->out, (size_t)n);
        int rc = conn->in_drop ? conn_drop(conn) : 0;
        return rc ? rc : 1;
    }
    if (conn->out_end && !conn->out_shut) {
        int n = SSL_shutdown(conn->ssl);
        if (n < 0) {
            return ssl_verdict(conn, n);
        }
        conn->out_shut = true;
        shutdown(conn->socket.fd, SHUT_WR);
        return conn->in_drop ? conn_drop(conn) : 0;
    }
    return 0;
}

static void conn_pump(void *ctx) {
    static int (*const steps[])(struct tls_conn *) = {step_from_peer, step_to_plain, step_from_plain, step_to_peer};
    struct tls_conn *conn = ctx;
    for (int round = 0; round < BUDGET; round++) {
        bool moved = false;
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
            int rc = steps[i](conn);
            if (rc < 0) {
                log_debug("tls: connection ended: %s", rc == SP_ECRYPTO ? tls_reason() : err_text(rc));
                tls_conn_finish(conn);
                return;
            }
            moved |= rc > 0;
        }
        if (conn->out_shut && conn->in_end) {
            tls_conn_finish(conn);
            return;
        }
        if (!moved) {
            return;
        }
    }
    loop_task_post(&conn->more);
}

static void plain_ready(void *ctx, uint32_t events) {
    struct tls_conn *conn = ctx;
    /* A hangup is both directions: whoever had the other end has closed it, and nobody will read any more. */
    if ((events & (EPOLLHUP | EPOLLERR)) && !conn->in_drop && conn_drop(conn)) {
        tls_conn_finish(conn);
        return;
    }
    conn_pump(conn);
}

/* Makes the pair and shows the other end. The listener may free the connection in there: nothing follows the call. */
static void conn_establish(struct tls_conn *conn) {
    int pair[2];
    if (os_socket_pair(pair)) {
        log_warn("tls: no socket pair for a connection: %s", err_text(SP_ESYS));
        tls_conn_finish(conn);
        return;
    }
    if (loop_fd_add(conn->socket.loop, &conn->plain, pair[0], EVENTS, plain_ready, conn)) {
        close(pair[0]);
        close(pair[1]);
        tls_conn_finish(conn);
        return;
    }
    loop_timer_stop(&conn->timer);
    loop_task_post(&conn->more);
    conn->events->ready(conn->ctx, pair[1]);
}

static void socket_ready(void *ctx, uint32_t events) {
    struct tls_conn *conn = ctx;
    (void)events;
    if (conn->plain.fd >= 0) {
        conn_pump(conn);
        return;
    }
    ERR_clear_error();
    int n = SSL_accept(conn->ssl);
    if (n == 1) {
        conn_establish(conn);
    } else if (ssl_verdict(conn, n)) {
        log_debug("tls: handshake failed: %s", tls_reason());
        tls_conn_finish(conn);
    }
}

static void conn_expired(void *ctx) {
    tls_conn_finish(ctx);
}

int tls_accept(struct tls_server *server, struct loop *loop, int fd, uint64_t deadline, const struct tls_events *events,
               void *ctx, struct tls_conn **out) {
    struct tls_conn *conn = calloc(1, sizeof(*conn));
    if (!conn) {
        return SP_ENOMEM;
    }
    uint64_t now = loop_now(loop);
    int rc = SP_ECRYPTO;
    loop_fd_init(&conn->socket);
    loop_fd_init(&conn->plain);
    loop_timer_init(loop, &conn->timer, conn_expired, conn);
    loop_task_init(loop, &conn->more, conn_pump, conn);
    buf_init(&conn->in);
    buf_init(&conn->out);
    conn->events = events;
    conn->ctx = ctx;
    conn->ssl = SSL_new(server->ctx);
    if (!conn->ssl || SSL_set_fd(conn->ssl, fd) != 1) {
        goto out;
    }
    SSL_set_accept_state(conn->ssl);
    rc = loop_timer_set(&conn->timer, deadline > now ? deadline - now : 0);
    if (!rc) {
        rc = loop_fd_add(loop, &conn->socket, fd, EVENTS, socket_ready, conn);
    }
out:
    if (rc) {
        loop_timer_stop(&conn->timer);
        SSL_free(conn->ssl);
        free(conn);
        return rc;
    }
    list_append(&server->conns, &conn->link);
    if (out) {
        *out = conn;
    }
    return 0;
}
