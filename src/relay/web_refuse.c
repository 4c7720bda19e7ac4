/* Answers by ourselves on the hosts of services: pages for people, JSON for programs. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web_conn.h"

static const char *reason_of(unsigned status) {
    static const struct {
        unsigned status;
        const char *reason;
    } known[] = {
        {200, "OK"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {421, "Misdirected Request"},
        {429, "Too Many Requests"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].status == status)
            return known[i].reason;
    }
    return "Internal Server Error";
}

int web_reply_head(const struct web *web, unsigned status, const char *type, struct buf *head) {
    int rc = buf_printf(head, "HTTP/1.1 %u %s\r\nCache-Control: no-store\r\n", status, reason_of(status));
    if (!rc && type)
        rc = buf_printf(head, "Content-Type: %s\r\n", type);
    return rc ? rc : web_fixed_fields(web, head);
}

void web_relay_origin(const struct web_conn *conn, char to[static WEB_ORIGIN_SIZE]) {
    const char *authority = conn->host.authority ? conn->host.authority : conn->web->authorities[0];
    snprintf(to, WEB_ORIGIN_SIZE, "%s://%s", conn->tls ? "https" : "http", authority);
}

static int append_page(const struct web_conn *conn, const char *title, const char *text, const char *link,
                       const char *link_text, struct buf *body) {
    char relay[WEB_ORIGIN_SIZE], home[WEB_ORIGIN_SIZE + 1];
    web_relay_origin(conn, relay);
    snprintf(home, sizeof(home), "%s/", relay);
    const char *const fields[][2] = {
        {"title", title},
        {"text", text},
        {"assets", conn->host.kind == WEB_HOST_SERVICE ? WEB_OWN_PATH "assets" : "/assets"},
        {"link", link ? link : home},
        {"link_text", link_text ? link_text : "To the machines"},
    };
    return web_template_fill(WEB_TEMPLATE_ERROR, fields, sizeof(fields) / sizeof(fields[0]), body);
}

static int append_error(const char *text, struct buf *body) {
    json_t *object = json_pack("{s:s}", "error", text);
    char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;
    int rc = line ? buf_printf(body, "%s\n", line) : SP_ENOMEM;
    free(line);
    json_decref(object);
    return rc;
}

/* For /metrics. */
static void count(struct web_conn *conn, unsigned status) {
    struct web_counters *counters = &conn->web->counters;
    counters_request(conn->host.kind == WEB_HOST_SERVICE ? counters->service_requests : counters->page_requests,
                     status);
}

void web_refuse(struct web_conn *conn, unsigned status, const char *title, const char *text, const char *link,
                const char *link_text) {
    struct buf head, body;
    buf_init(&head);
    buf_init(&body);
    count(conn, status);
    int rc = conn->wants_page ? append_page(conn, title, text, link, link_text, &body) : append_error(text, &body);
    if (!rc)
        rc = web_reply_head(conn->web, status, conn->wants_page ? "text/html; charset=utf-8" : "application/json",
                            &head);
    if (rc)
        http_conn_close(conn->http);
    else
        http_conn_reply(conn->http, &head, buf_head(&body), buf_len(&body), false);
    buf_fini(&head);
    buf_fini(&body);
}

void web_redirect(struct web_conn *conn, unsigned status, const char *to, const char *cookie) {
    struct buf head;
    buf_init(&head);
    count(conn, status);
    int rc = web_reply_head(conn->web, status, NULL, &head);
    if (!rc)
        rc = buf_printf(&head, "Location: %s\r\n", to);
    if (!rc && cookie)
        rc = buf_printf(&head, "Set-Cookie: %s\r\n", cookie);
    if (rc)
        http_conn_close(conn->http);
    else
        http_conn_reply(conn->http, &head, NULL, 0, false);
    buf_wipe(&head);
}
