/* Heads of requests and answers, written anew for the other side. A machine may be hostile, and so may a page. */
#include <stdio.h>
#include <string.h>

#include "sallyport/wire/http_cookie.h"
#include "web_conn.h"

static int append_field(struct buf *out, const struct http_field *field) {
    int rc = buf_append(out, field->name.at, field->name.len);
    if (!rc)
        rc = buf_append(out, ": ", 2);
    if (!rc)
        rc = buf_append(out, field->value.at, field->value.len);
    return rc ? rc : buf_append(out, "\r\n", 2);
}

static bool is_one_of(struct http_text name, const char *const *words, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (http_text_is(name, words[i]))
            return true;
    }
    return false;
}
#define IS_ONE_OF(name, words) is_one_of((name), (words), sizeof(words) / sizeof((words)[0]))

static bool has_prefix(struct http_text text, const char *prefix) {
    size_t len = strlen(prefix);
    return text.len >= len && strncasecmp(text.at, prefix, len) == 0;
}

/* Fields of requests that do not go on: written anew below, or none of the machine's business. */
static const char *const request_dropped[] = {"Host",   "Content-Length",   "Authorization", "Cookie",
                                              "Origin", "Referer",          "Forwarded",     "X-Real-IP",
                                              "Via",    "CF-Connecting-IP", "True-Client-IP"};

static int append_cookies(struct buf *out, const struct http_field *field) {
    struct buf rest;
    buf_init(&rest);
    int rc = http_cookie_strip(field->value, WEB_COOKIE, &rest);
    if (!rc && buf_len(&rest)) {
        struct http_field kept = {.name = field->name, .value = {(const char *)buf_head(&rest), buf_len(&rest)}};
        rc = append_field(out, &kept);
    }
    buf_fini(&rest);
    return rc;
}

/* A page of the service itself keeps its place, any other stays unnamed. */
static int append_referer(const struct web_rewrite *rewrite, struct buf *out, const struct http_field *field) {
    size_t len = strlen(rewrite->origin);
    if (!http_text_starts(field->value, rewrite->origin) || field->value.len == len || field->value.at[len] != '/')
        return 0;
    return buf_printf(out, "Referer: http://127.0.0.1:%u%.*s\r\n", rewrite->port, (int)(field->value.len - len),
                      field->value.at + len);
}

static int append_request_field(const struct web_rewrite *rewrite, const struct http_head *head,
                                const struct http_field *field, struct buf *out) {
    if (http_text_is(field->name, "Cookie"))
        return append_cookies(out, field);
    if (http_text_is(field->name, "Origin"))
        return buf_printf(out, "Origin: http://127.0.0.1:%u\r\n", rewrite->port);
    if (http_text_is(field->name, "Referer"))
        return append_referer(rewrite, out, field);
    /* Many a server takes '_' in a name for '-': by that, what is dropped here could come after all. */
    if (http_field_is_hop(head, field) || IS_ONE_OF(field->name, request_dropped) ||
        has_prefix(field->name, "X-Forwarded-") || memchr(field->name.at, '_', field->name.len))
        return 0;
    return append_field(out, field);
}

static int append_request_line(const struct http_head *head, struct buf *out) {
    int rc = buf_append(out, head->method.at, head->method.len);
    if (!rc)
        rc = buf_append(out, " ", 1);
    if (!rc)
        rc = buf_append(out, head->target.at, head->target.len);
    return rc ? rc : buf_append(out, head->minor ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n", 11);
}

int web_rewrite_request(const struct web_rewrite *rewrite, const struct http_head *head, struct buf *out) {
    int rc = append_request_line(head, out);
    if (!rc)
        rc = buf_printf(out, "Host: 127.0.0.1:%u\r\n", rewrite->port);
    for (size_t i = 0; !rc && i < head->field_count; i++)
        rc = append_request_field(rewrite, head, &head->fields[i], out);
    if (!rc && rewrite->token[0])
        rc = buf_printf(out, "Authorization: token %s\r\n", rewrite->token);
    return rc;
}

/* Fields of answers that would reach beyond the service's own host, or open it to others. */
static const char *const response_dropped[] = {"Content-Length",
                                               "Set-Cookie2",
                                               "Strict-Transport-Security",
                                               "Alt-Svc",
                                               "Clear-Site-Data",
                                               "Public-Key-Pins",
                                               "NEL",
                                               "Report-To",
                                               "Reporting-Endpoints"};

static int append_set_cookie(struct buf *out, const struct http_field *field) {
    struct buf clean;
    buf_init(&clean);
    int rc = http_cookie_clean(field->value, WEB_COOKIE, &clean);
    if (!rc) {
        struct http_field kept = {.name = field->name, .value = {(const char *)buf_head(&clean), buf_len(&clean)}};
        rc = append_field(out, &kept);
    }
    buf_fini(&clean);
    return rc == SP_EDENIED ? 0 : rc;
}

/* Where the service names itself by the address that we called it by, the browser is told the one that it knows. */
static int append_location(const struct web_rewrite *rewrite, struct buf *out, const struct http_field *field) {
    char own[2][48];
    snprintf(own[0], sizeof(own[0]), "http://127.0.0.1:%u", rewrite->port);
    snprintf(own[1], sizeof(own[1]), "http://localhost:%u", rewrite->port);
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(own[i]);
        if (has_prefix(field->value, own[i]) && (field->value.len == len || strchr("/?#", field->value.at[len])))
            return buf_printf(out, "%.*s: %s%.*s\r\n", (int)field->name.len, field->name.at, rewrite->origin,
                              (int)(field->value.len - len), field->value.at + len);
    }
    return append_field(out, field);
}

static int append_response_field(const struct web_rewrite *rewrite, const struct http_head *head,
                                 const struct http_field *field, struct buf *out) {
    if (http_text_is(field->name, "Set-Cookie"))
        return append_set_cookie(out, field);
    if (http_text_is(field->name, "Location") || http_text_is(field->name, "Content-Location"))
        return append_location(rewrite, out, field);
    if (http_field_is_hop(head, field) || IS_ONE_OF(field->name, response_dropped) ||
        has_prefix(field->name, "Access-Control-"))
        return 0;
    return append_field(out, field);
}

static const char policy[] = "Content-Security-Policy: frame-ancestors 'self'\r\n";

static int append_status_line(const struct http_head *head, struct buf *out) {
    return buf_printf(out, "HTTP/1.1 %03u %.*s\r\n", head->status, (int)head->reason.len, head->reason.at);
}

int web_rewrite_response(const struct web_rewrite *rewrite, const struct http_head *head, struct buf *out) {
    int rc = append_status_line(head, out);
    for (size_t i = 0; !rc && i < head->field_count; i++)
        rc = append_response_field(rewrite, head, &head->fields[i], out);
    /* No page of another machine may put this one into a frame, whatever the service itself says. */
    if (!rc && head->status != 101)
        rc = buf_append(out, policy, sizeof(policy) - 1);
    return rc;
}

int web_rewrite_pass(const struct http_head *head, struct buf *out) {
    int rc = head->method.len ? append_request_line(head, out) : append_status_line(head, out);
    for (size_t i = 0; !rc && i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        if (!http_field_is_hop(head, field) && !http_text_is(field->name, "Content-Length"))
            rc = append_field(out, field);
    }
    return rc;
}
