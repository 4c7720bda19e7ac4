/* One connection of a browser: its handshake, and where each of its requests goes. */
#include "web_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/log.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/socket_stream.h"

static const char events_path[] = "/api/v1/events";
enum { PAGES_HEAD_MS = 20000 };

/* For /metrics. */
static void count_carried(struct web_conn *conn) {
    uint64_t carried = conn->http ? http_conn_carried(conn->http) : 0;
    if (conn->target == WEB_TARGET_SERVICE)
        conn->web->counters.carried_bytes += carried - conn->counted;
    conn->counted = carried;
}

/* Out of the list that it is in. */
static void conn_unlink(struct web_conn *conn) {
    list_remove(&conn->link);
    conn->web->fresh_count -= conn->fresh;
    conn->fresh = false;
}

/* To the end of those that had a request. */
static void conn_settle(struct web_conn *conn) {
    conn_unlink(conn);
    list_append(&conn->web->conns, &conn->link);
}

static void conn_free(struct web_conn *conn) {
    void (*closed)(void *) = conn->closed;
    void *ctx = conn->ctx;
    web_service_forget(conn);
    web_listener_leave(conn->listener);
    conn_unlink(conn);
    conn->web->conn_count--;
    secret_wipe(&conn->access, sizeof(conn->access));
    free(conn);
    if (closed)
        closed(ctx);
}

static bool is_events(const struct http_head *head) {
    size_t len = strlen(events_path);
    return http_text_equal(head->method, "GET") && http_text_starts(head->target, events_path) &&
           (head->target.len == len || head->target.at[len] == '?');
}

static void answer_events(struct web_conn *conn, const struct http_head *head) {
    const struct http_field *authorization = http_field_find(head, "Authorization");
    char token[SECRET_TOKEN_LEN + 1] = "";
    struct web_asker asker;
    if (web_access_token(head, token))
        token[0] = '\0';
    int rc = web_who(conn->web, authorization ? authorization->value : (struct http_text){"", 0},
                     (struct http_text){token, strlen(token)}, &asker);
    secret_wipe(token, sizeof(token));
    if (!rc)
        rc = web_events_join(conn->web->events, conn->http, &asker.viewer, &conn->listener);
    if (!rc)
        counters_request(conn->web->counters.page_requests, 200);
    conn->wants_page = false;
    if (rc == SP_ENOENT)
        web_refuse(conn, 401, "", "not logged in", NULL, NULL);
    else if (rc == SP_EBUSY)
        web_refuse(conn, 429, "", "too many pages listen already: close some", NULL, NULL);
    else if (rc)
        web_refuse(conn, 500, "", "the relay's log says what is wrong", NULL, NULL);
}

static void forward_to_pages(struct web_conn *conn, const struct http_head *head) {
    struct buf out;
    bool fresh = conn->target != WEB_TARGET_PAGES;
    buf_init(&out);
    if (web_rewrite_pass(head, &out)) {
        buf_fini(&out);
        http_conn_close(conn->http);
        return;
    }
    conn->target = WEB_TARGET_PAGES;
    http_conn_forward(conn->http, &out, fresh);
}

/* Only a page that a person looks at is worth a page as its refusal. */
static bool wants_page(const struct http_head *head) {
    const struct http_field *accept = http_field_find(head, "Accept");
    return http_text_equal(head->method, "GET") && !head->websocket && accept &&
           memmem(accept->value.at, accept->value.len, "text/html", 9);
}

/* By TLS, or within this very machine. */
static bool is_secure(const struct web_conn *conn) {
    return conn->tls || (conn->host.local && web_peer_is_local(&conn->peer));
}

static void redirect_to_https(struct web_conn *conn, const struct http_head *head) {
    char url[WEB_URL_SIZE];
    int n = snprintf(url, sizeof(url), "https://%s--%s.%s%.*s", conn->host.machine, conn->host.service,
                     conn->host.authority, (int)head->target.len, head->target.at);
    if (n < (int)sizeof(url))
        web_redirect(conn, 308, url, NULL);
    else
        web_refuse(conn, 400, "Too long", "This address is too long to be led on to https.", NULL, NULL);
}

static void conn_request(void *ctx, const struct http_head *head) {
    struct web_conn *conn = ctx;
    conn_settle(conn);
    conn->wants_page = wants_page(head);
    web_host_parse(conn->web, head->host.at, head->host.len, conn->tls, &conn->host);
    bool secure = is_secure(conn);
    if (conn->host.local && !secure)
        web_refuse(conn, 421, "Another address", "By this name the relay answers at its own machine only.", NULL, NULL);
    else if (conn->host.kind == WEB_HOST_SERVICE && secure)
        web_service_request(conn, head);
    else if (conn->host.kind == WEB_HOST_SERVICE && !http_text_starts(head->target, "/.well-known/acme-challenge/"))
        redirect_to_https(conn, head);
    else if (conn->host.kind == WEB_HOST_OWN && secure && is_events(head))
        answer_events(conn, head);
    else
        forward_to_pages(conn, head);
}

/* libmicrohttpd gets one end of a pair of sockets; we keep the other. */
static void connect_pages(struct web_conn *conn) {
    int pair[2];
    struct stream *stream;
    int rc = os_socket_pair(pair);
    if (!rc) {
        rc = socket_stream_new(conn->web->loop, pair[0], &stream);
        if (rc)
            (void)close(pair[1]);
    }
    if (rc) {
        log_warn("web: no way to the pages: %s", err_text(rc));
        http_conn_close(conn->http);
        return;
    }
    /* When the pages refuse, they close their end, and that shows as an answer that did not come. */
    uint64_t deadline = loop_now(conn->web->loop) + PAGES_HEAD_MS;
    (void)pages_accept(conn->web->pages, pair[1], &conn->peer, conn->tls, deadline, NULL, NULL);
    http_conn_connected(conn->http, stream);
}

static void conn_connect(void *ctx) {
    struct web_conn *conn = ctx;
    if (conn->target == WEB_TARGET_PAGES)
        connect_pages(conn);
    else
        web_service_connect(conn);
}

static int conn_response(void *ctx, const struct http_head *head, struct buf *out) {
    struct web_conn *conn = ctx;
    struct web_rewrite rewrite = {.origin = conn->host.origin, .port = conn->port, .token = ""};
    if (conn->target == WEB_TARGET_SERVICE && (head->status >= 200 || head->websocket)) {
        counters_request(conn->web->counters.service_requests, head->status);
        conn->web->counters.websockets_opened += head->websocket;
    }
    count_carried(conn);
    return conn->target == WEB_TARGET_PAGES ? web_rewrite_pass(head, out) : web_rewrite_response(&rewrite, head, out);
}

static void conn_failed(void *ctx, enum http_failure failure, const struct why *why) {
    struct web_conn *conn = ctx;
    if (conn->target == WEB_TARGET_SERVICE)
        web_service_failed(conn, failure, why);
    else
        web_refuse(conn, 503, "Too busy", "The relay has too much to do at the moment. Try again in a minute.", NULL,
                   NULL);
}

static void conn_writable(void *ctx) {
    struct web_conn *conn = ctx;
    if (conn->listener)
        web_listener_writable(conn->listener);
}

static void conn_closed(void *ctx) {
    count_carried(ctx);
    conn_free(ctx);
}

static const struct http_conn_events http_events = {.request = conn_request,
                                                    .connect = conn_connect,
                                                    .response = conn_response,
                                                    .failed = conn_failed,
                                                    .writable = conn_writable,
                                                    .closed = conn_closed};

static int conn_begin(struct web_conn *conn, struct stream *stream) {
    static const struct http_conn_config standard = {0};
    return http_conn_new(conn->web->loop, stream, conn->deadline, &standard, &http_events, conn, &conn->http);
}

static void tls_ready(void *ctx, struct stream *stream) {
    struct web_conn *conn = ctx;
    conn->handshake = NULL;
    if (conn_begin(conn, stream)) {
        stream->ops->close(stream);
        conn_free(conn);
    }
}

static void tls_failed(void *ctx) {
    struct web_conn *conn = ctx;
    conn->web->counters.handshakes_failed++;
    conn_free(conn);
}

void web_conn_end(struct web_conn *conn) {
    if (conn->http) {
        http_conn_close(conn->http);
        return;
    }
    tls_conn_free(conn->handshake);
    conn_free(conn);
}

/* A crowd cannot keep others out: it pushes out itself. */
static int make_room(struct web *web, const struct sockaddr_storage *guest) {
    if (web->conn_count < web->conn_max)
        return 0;
    struct web_conn *spare = web_room_find(web, guest);
    if (!spare)
        return SP_EBUSY;
    if (spare->http) {
        /* It ends in a later round: until then we are one more, and it is not chosen again. */
        spare->ending = true;
        conn_settle(spare);
    }
    web_conn_end(spare);
    return 0;
}

int web_accept(struct web *web, int fd, const struct sockaddr_storage *peer, bool tls, uint64_t deadline,
               void (*closed)(void *ctx), void *ctx) {
    static const struct tls_events tls_events = {tls_ready, tls_failed};
    struct stream *stream = NULL;
    struct web_conn *conn = NULL;
    int rc = make_room(web, peer);
    if (!rc && !(conn = calloc(1, sizeof(*conn))))
        rc = SP_ENOMEM;
    if (rc)
        goto fail;
    conn->web = web;
    conn->peer = *peer;
    conn->deadline = deadline;
    conn->tls = tls;
    os_address_text(peer, conn->peer_text);
    if (tls) {
        rc = tls_accept(web->tls, web->loop, fd, deadline, &tls_events, conn, &conn->handshake);
    } else {
        rc = socket_stream_new(web->loop, fd, &stream);
        fd = -1;
        if (!rc)
            rc = conn_begin(conn, stream);
    }
    if (rc)
        goto fail;
    conn->closed = closed;
    conn->ctx = ctx;
    list_append(&web->fresh, &conn->link);
    conn->fresh = true;
    web->fresh_count++;
    web->conn_count++;
    return 0;
fail:
    if (stream)
        stream->ops->close(stream);
    if (fd >= 0)
        (void)close(fd);
    free(conn);
    return rc;
}
