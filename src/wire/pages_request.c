/* From the daemon's parsed head and body to the handler, and from its answer back. */
#include "pages_local.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

#define VALUE_MAX 2048

/* What the daemon lets pass and we do not: of several headers it takes the first. */
struct head_check {
    unsigned hosts, lengths, codings;
    uint64_t length;
    bool broken;
};

static enum MHD_Result check_header(void *cls, enum MHD_ValueKind kind, const char *key, const char *value) {
    struct head_check *check = cls;
    (void)kind;
    if (!value) {
        check->broken = true;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0) {
        check->hosts++;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        check->lengths++;
        check->broken |= str_u64(value, 0, INT64_MAX, &check->length) != 0;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        check->codings++;
        check->broken |= strcasecmp(value, "chunked") != 0;
    }
    return MHD_YES;
}

/* The status to refuse the head with, or 0. */
static unsigned head_refusal(struct MHD_Connection *connection, const char *uri) {
    struct head_check check = {0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, check_header, &check);
    if (check.broken || check.hosts != 1 || check.lengths + check.codings > 1 || uri[0] != '/') {
        return MHD_HTTP_BAD_REQUEST;
    }
    size_t len = strlen(uri);
    for (size_t i = 0; i < len; i++) {
        if (uri[i] <= ' ' || uri[i] > '~') {
            return MHD_HTTP_BAD_REQUEST;
        }
    }
    if (len > PAGES_PATH_MAX) {
        return MHD_HTTP_URI_TOO_LONG;
    }
    return check.length > PAGES_BODY_MAX ? MHD_HTTP_CONTENT_TOO_LARGE : 0;
}

const char *page_request_header(const struct page_request *request, const char *name) {
    return MHD_lookup_connection_value(request->lookup, MHD_HEADER_KIND, name);
}

const char *page_request_cookie(const struct page_request *request, const char *name) {
    return MHD_lookup_connection_value(request->lookup, MHD_COOKIE_KIND, name);
}

/* Kept as NAME NUL VALUE NUL, one after the other. */
int page_response_header(struct page_response *response, const char *name, const char *format, ...) {
    char value[VALUE_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(value) || !str_is_clean(value, (size_t)len)) {
        return SP_EINVAL;
    }
    uint8_t *tail;
    size_t name_size = strlen(name) + 1, value_size = (size_t)len + 1;
    int rc = buf_reserve(&response->headers, name_size + value_size, &tail);
    if (!rc) {
        memcpy(tail, name, name_size);
        memcpy(tail + name_size, value, value_size);
        buf_commit(&response->headers, name_size + value_size);
    }
    return rc;
}

static enum MHD_Result add_headers(struct MHD_Response *to, const struct page_response *response) {
    const char *at = (const char *)buf_head(&response->headers);
    const char *end = at ? at + buf_len(&response->headers) : at;
    enum MHD_Result ok = MHD_YES;
    while (ok == MHD_YES && at < end) {
        const char *value = at + strlen(at) + 1;
        ok = MHD_add_response_header(to, at, value);
        at = value + strlen(value) + 1;
    }
    if (ok == MHD_YES && response->type) {
        ok = MHD_add_response_header(to, MHD_HTTP_HEADER_CONTENT_TYPE, response->type);
    }
    if (ok == MHD_YES && response->close) {
        ok = MHD_add_response_header(to, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    return ok;
}

static struct MHD_Response *response_body(struct page_response *response) {
    if (response->fixed_len) {
        struct MHD_IoVec part = {response->fixed, response->fixed_len};
        return MHD_create_response_from_iovec(&part, 1, NULL, NULL);
    }
    return MHD_create_response_from_buffer(buf_len(&response->body),
                                           response->body.data ? response->body.data + response->body.start : NULL,
                                           MHD_RESPMEM_MUST_COPY);
}

/* MHD_NO makes the daemon close the connection. Empties the response. */
static enum MHD_Result respond(struct MHD_Connection *connection, struct page_response *response) {
    enum MHD_Result ok = MHD_NO;
    struct MHD_Response *answer = response_body(response);
    if (answer) {
        ok = add_headers(answer, response);
        if (ok == MHD_YES) {
            ok = MHD_queue_response(connection, response->status, answer);
        }
        MHD_destroy_response(answer);
    }
    buf_fini(&response->body);
    buf_fini(&response->headers);
    return ok;
}

/* `refused`: 0, or the status to refuse the request with. */
static enum MHD_Result dispatch(struct pages *pages, struct MHD_Connection *connection, const char *method,
                                struct pages_exchange *exchange, unsigned refused) {
    struct page_response response = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR};
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    char *mark = strchr(exchange->uri, '?');
    if (mark) {
        *mark = '\0';
    }
    struct page_request request = {
        .method = method,
        .path = exchange->uri,
        .query = mark ? mark + 1 : "",
        .host = host ? host : "",
        .body = buf_head(&exchange->body),
        .body_len = buf_len(&exchange->body),
        .refused = refused,
        .peer = exchange->conn->peer,
        .tls = exchange->conn->tls,
        .lookup = connection,
    };
    pages->handle(pages->ctx, &request, &response);
    if (refused) {
        response.status = refused;
        response.close = true;
    }
    return respond(connection, &response);
}

void *pages_on_line(void *cls, const char *uri, struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    (void)cls;
    struct pages_exchange *exchange = info && info->socket_context ? calloc(1, sizeof(*exchange)) : NULL;
    if (exchange) {
        exchange->conn = info->socket_context;
        exchange->uri = strdup(uri);
        pages_conn_begin(exchange->conn);
    }
    return exchange;
}

/* Called for the head, for each piece of the body, and once more when the request is whole. */
enum MHD_Result pages_on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                 const char *version, const char *upload, size_t *upload_size, void **exchange) {
    struct pages_exchange *now = *exchange;
    (void)url;
    (void)version;
    if (!now || !now->uri) {
        return MHD_NO;
    }
    if (!now->begun) {
        /* A good head is answered on a later call: answering on the first one makes the daemon close. */
        unsigned status = head_refusal(connection, now->uri);
        now->begun = true;
        return status ? dispatch(cls, connection, method, now, status) : MHD_YES;
    }
    if (*upload_size) {
        now->overlong |= buf_len(&now->body) + *upload_size > PAGES_BODY_MAX;
        if (!now->overlong && buf_append(&now->body, upload, *upload_size)) {
            return MHD_NO;
        }
        *upload_size = 0;
        return MHD_YES;
    }
    pages_conn_answer(now->conn);
    return dispatch(cls, connection, method, now, now->overlong ? MHD_HTTP_CONTENT_TOO_LARGE : 0);
}

void pages_on_completed(void *cls, struct MHD_Connection *connection, void **exchange,
                        enum MHD_RequestTerminationCode code) {
    struct pages_exchange *now = *exchange;
    (void)cls;
    (void)connection;
    (void)code;
    if (now) {
        pages_conn_rest(now->conn);
        buf_fini(&now->body);
        free(now->uri);
        free(now);
        *exchange = NULL;
    }
}
