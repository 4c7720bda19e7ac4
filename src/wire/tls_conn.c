/* The handshake of one TLS connection: until it is done, has failed, or its time is over. */
#include "tls_local.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "sallyport/base/log.h"

/* A laptop that vanished is noticed within two minutes, whether something was under way to it or not; one that was
 * without a network for half a minute goes on. */
enum { KEEPALIVE_IDLE_S = 60, KEEPALIVE_EACH_S = 15, KEEPALIVE_COUNT = 4, UNHEARD_MS = 120000 };

struct tls_conn {
    struct list link;
    SSL *ssl;
    struct tls_io *io;
    struct loop_fd watch;
    struct loop_timer timer;
    const struct tls_events *events;
    void *ctx;
};

static void conn_release(struct tls_conn *conn) {
    list_remove(&conn->link);
    loop_timer_stop(&conn->timer);
    loop_fd_remove(&conn->watch);
}

void tls_conn_free(struct tls_conn *conn) {
    if (conn) {
        conn_release(conn);
        tls_io_free(conn->io, conn->ssl);
        free(conn);
    }
}

static void conn_fail(void *ctx) {
    struct tls_conn *conn = ctx;
    const struct tls_events *events = conn->events;
    void *listener = conn->ctx;
    tls_conn_free(conn);
    events->failed(listener);
}

void tls_conn_fail_all(struct list *conns) {
    while (!list_is_empty(conns)) {
        conn_fail(list_item(conns->next, struct tls_conn, link));
    }
}

static void conn_establish(struct tls_conn *conn) {
    struct stream *stream;
    const struct tls_events *events = conn->events;
    void *listener = conn->ctx;
    struct loop *loop = conn->watch.loop;
    loop_fd_remove(&conn->watch);
    int rc = tls_stream_new(loop, conn->ssl, conn->io, &stream);
    if (rc) {
        log_warn("tls: a connection was given up: %s", err_text(rc));
        conn_fail(conn);
        return;
    }
    conn_release(conn);
    free(conn);
    events->ready(listener, stream);
}

static void conn_ready(void *ctx, uint32_t events) {
    struct tls_conn *conn = ctx;
    tls_io_wake(conn->io, events);
    ERR_clear_error();
    int n = SSL_accept(conn->ssl);
    int verdict = n == 1 ? 0 : tls_verdict(conn->ssl, n);
    /* An alert says what we did not like. */
    (void)tls_io_flush(conn->io);
    if (verdict || conn->io->lost) {
        log_debug("tls: handshake failed: %s", tls_reason());
        conn_fail(conn);
    } else if (n == 1) {
        conn_establish(conn);
    }
}

static void set_keepalive(int fd) {
    const struct {
        int level, name, value;
    } options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EACH_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, UNHEARD_MS},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(options[i].value));
    }
}

int tls_accept(struct tls_server *server, struct loop *loop, int fd, uint64_t deadline, const struct tls_events *events,
               void *ctx, struct tls_conn **out) {
    struct tls_conn *conn = calloc(1, sizeof(*conn));
    if (!conn) {
        return SP_ENOMEM;
    }
    uint64_t now = loop_now(loop);
    list_init(&conn->link);
    loop_fd_init(&conn->watch);
    loop_timer_init(loop, &conn->timer, conn_fail, conn);
    conn->events = events;
    conn->ctx = ctx;
    conn->ssl = SSL_new(server->ctx);
    int rc = conn->ssl ? loop_fd_add(loop, &conn->watch, fd, TLS_EVENTS, conn_ready, conn) : SP_ECRYPTO;
    if (!rc) {
        rc = loop_timer_set(&conn->timer, deadline > now ? deadline - now : 0);
    }
    if (!rc) {
        rc = tls_io_new(conn->ssl, fd, &conn->io);
    }
    if (rc) {
        conn_release(conn);
        SSL_free(conn->ssl);
        free(conn);
        return rc;
    }
    SSL_set_accept_state(conn->ssl);
    set_keepalive(fd);
    list_append(&server->conns, &conn->link);
    *out = conn;
    return 0;
}
