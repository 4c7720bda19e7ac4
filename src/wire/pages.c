/* The daemon inside our loop, its connections and their deadlines. */
#include "pages_local.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "sallyport/base/log.h"
#include "sallyport/base/os.h"

#define MAX_CONNECTIONS 1024
#define CONNECTION_MEMORY ((size_t)32768) /* bounds the head of a request, too */
#define HEAD_MS 20000
#define ANSWER_MS 120000
#define REST_MS 60000

static void conn_free(struct pages_conn *conn) {
    list_remove(&conn->link);
    loop_timer_stop(&conn->deadline);
    conn->pages->count--;
    free(conn);
}

static void conn_report(struct pages_conn *conn) {
    void (*closed)(void *) = conn->closed;
    void *ctx = conn->ctx;
    conn_free(conn);
    if (closed) {
        closed(ctx);
    }
}

/* Fires also for a connection that the daemon threw away without a word: by then its descriptor is somebody else's. */
static void conn_expired(void *ctx) {
    struct pages_conn *conn = ctx;
    struct list *node, *tmp;
    list_foreach (node, tmp, &conn->pages->pending) {
        if (node == &conn->link) {
            conn_report(conn);
            return;
        }
    }
    shutdown(conn->fd, SHUT_RDWR);
}

static void conn_set_deadline(struct pages_conn *conn, uint64_t ms) {
    if (loop_timer_set(&conn->deadline, ms)) {
        shutdown(conn->fd, SHUT_RDWR);
    }
}

void pages_conn_begin(struct pages_conn *conn) {
    if (conn->again) {
        conn_set_deadline(conn, conn->pages->head_ms);
    }
}

void pages_conn_answer(struct pages_conn *conn) {
    conn_set_deadline(conn, conn->pages->answer_ms);
}

void pages_conn_rest(struct pages_conn *conn) {
    conn->again = true;
    conn_set_deadline(conn, conn->pages->rest_ms);
}

static struct pages_conn *pending_find(struct pages *pages, int fd) {
    struct list *node, *tmp;
    list_foreach (node, tmp, &pages->pending) {
        struct pages_conn *conn = list_item(node, struct pages_conn, link);
        if (conn->fd == fd) {
            return conn;
        }
    }
    return NULL;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_ctx,
                          enum MHD_ConnectionNotificationCode what) {
    struct pages *pages = cls;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct pages_conn *conn = info ? pending_find(pages, info->connect_fd) : NULL;
        if (conn) {
            list_remove(&conn->link);
            list_append(&pages->live, &conn->link);
        }
        *socket_ctx = conn;
    } else if (*socket_ctx) {
        conn_report(*socket_ctx);
        *socket_ctx = NULL;
    }
}

__attribute__((format(printf, 2, 0))) static void on_log(void *cls, const char *format, va_list args) {
    char line[512];
    (void)cls;
    if (log_enabled(LOG_LEVEL_DEBUG)) {
        vsnprintf(line, sizeof(line), format, args);
        log_debug("pages: %s", line);
    }
}

/* Paths and queries stay as they were sent. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *text) {
    (void)cls;
    (void)connection;
    return strlen(text);
}

static void pages_turn(void *ctx) {
    struct pages *pages = ctx;
    MHD_UNSIGNED_LONG_LONG wait = 0;
    MHD_run(pages->daemon);
    if (MHD_get_timeout(pages->daemon, &wait) != MHD_YES) {
        loop_timer_stop(&pages->timer);
    } else if (wait == 0 || loop_timer_set(&pages->timer, wait)) {
        loop_task_post(&pages->turn);
    }
}

static void pages_ready(void *ctx, uint32_t events) {
    (void)events;
    pages_turn(ctx);
}

static int daemon_start(struct pages *pages) {
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, pages},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)pages_on_completed, pages},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)pages_on_line, pages},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)CONNECTION_MEMORY, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)pages->max, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    /* The logger comes first: options before it are complained about on standard error. */
    pages->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0,
                                     NULL, NULL, pages_on_request, pages, MHD_OPTION_EXTERNAL_LOGGER, on_log, pages,
                                     MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (!pages->daemon) {
        return SP_ENOMEM;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(pages->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info ? loop_fd_add(pages->loop, &pages->watch, info->epoll_fd, EPOLLIN, pages_ready, pages) : SP_ESYS;
}

int pages_new(const struct pages_config *config, struct pages **out) {
    struct pages *pages = calloc(1, sizeof(*pages));
    if (!pages) {
        return SP_ENOMEM;
    }
    pages->loop = config->loop;
    pages->max = config->max_connections ? config->max_connections : MAX_CONNECTIONS;
    pages->head_ms = config->head_ms ? config->head_ms : HEAD_MS;
    pages->rest_ms = config->rest_ms ? config->rest_ms : REST_MS;
    pages->answer_ms = config->answer_ms ? config->answer_ms : ANSWER_MS;
    pages->handle = config->handle;
    pages->ctx = config->ctx;
    list_init(&pages->pending);
    list_init(&pages->live);
    loop_fd_init(&pages->watch);
    loop_timer_init(pages->loop, &pages->timer, pages_turn, pages);
    loop_task_init(pages->loop, &pages->turn, pages_turn, pages);
    int rc = daemon_start(pages);
    if (rc) {
        pages_free(pages);
        return rc;
    }
    *out = pages;
    return 0;
}

void pages_free(struct pages *pages) {
    if (!pages) {
        return;
    }
    loop_fd_remove(&pages->watch);
    loop_timer_stop(&pages->timer);
    loop_task_cancel(&pages->turn);
    if (pages->daemon) {
        MHD_stop_daemon(pages->daemon);
    }
    /* Those that the daemon threw away without a word. */
    while (!list_is_empty(&pages->pending)) {
        conn_report(list_item(pages->pending.next, struct pages_conn, link));
    }
    free(pages);
}

int pages_accept(struct pages *pages, int fd, const struct sockaddr_storage *peer, bool tls, uint64_t deadline,
                 void (*closed)(void *ctx), void *ctx) {
    uint64_t now = loop_now(pages->loop);
    struct pages_conn *conn = pages->count < pages->max ? calloc(1, sizeof(*conn)) : NULL;
    if (!conn) {
        int rc = pages->count < pages->max ? SP_ENOMEM : SP_EBUSY;
        close(fd);
        return rc;
    }
    struct pages_conn *stale = pending_find(pages, fd);
    if (stale) {
        stale->fd = -1;
    }
    pages->count++;
    list_append(&pages->pending, &conn->link);
    loop_timer_init(pages->loop, &conn->deadline, conn_expired, conn);
    conn->pages = pages;
    conn->fd = fd;
    conn->tls = tls;
    conn->closed = closed;
    conn->ctx = ctx;
    os_address_text(peer, conn->peer);
    if (loop_timer_set(&conn->deadline, deadline > now ? deadline - now : 0)) {
        conn_free(conn);
        close(fd);
        return SP_ENOMEM;
    }
    /* The daemon keeps the address only for limits that we do not use. It closes the descriptor when it fails. */
    if (MHD_add_connection(pages->daemon, fd, (const struct sockaddr *)peer, sizeof(*peer)) != MHD_YES) {
        conn_free(conn);
        return SP_ENOMEM;
    }
    return 0;
}
