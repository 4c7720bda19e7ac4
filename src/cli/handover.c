#include "handover.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/http_head.h"
#include "socket_owner.h"

/* Browsers open connections ahead of their use, which then say nothing. */
enum { VISITORS_MAX = 8, REQUEST_MAX = 16384, VISIT_MS = 5000 };

struct visitor {
    int fd; /* -1: a free place */
    uint64_t due;
    size_t len;
    uint8_t request[REQUEST_MAX];
};

struct visitors {
    struct visitor list[VISITORS_MAX];
};

int handover_init(struct handover *handover, struct why *why) {
    handover->listener = -1;
    int rc = loopback_listen(0, &handover->listener, &handover->port);
    if (!rc)
        rc = os_nonblocking(handover->listener);
    if (!rc)
        rc = secret_token(handover->code);
    if (rc) {
        why_set(why, "cannot listen on 127.0.0.1 for the browser: %s", strerror(errno));
        handover_fini(handover);
    }
    return rc;
}

void handover_fini(struct handover *handover) {
    if (handover->listener >= 0)
        (void)close(handover->listener);
    handover->listener = -1;
    secret_wipe(handover->code, sizeof handover->code);
}

void handover_url(const struct handover *handover, char to[static HANDOVER_URL_SIZE]) {
    (void)snprintf(to, HANDOVER_URL_SIZE, "http://127.0.0.1:%u/%s", (unsigned)handover->port, handover->code);
}

static void visitor_close(struct visitor *visitor) {
    if (visitor->fd >= 0)
        (void)close(visitor->fd);
    secret_wipe(visitor->request, visitor->len);
    visitor->fd = -1;
    visitor->len = 0;
}

/* A new connection takes a free place, or that of the oldest. */
static void accept_visitor(const struct handover *handover, struct visitors *visitors) {
    struct visitor *place = &visitors->list[0];
    int fd = accept(handover->listener, NULL, NULL);
    if (fd < 0)
        return;
    if (os_nonblocking(fd) != 0) {
        (void)close(fd);
        return;
    }
    for (size_t i = 0; i < VISITORS_MAX && place->fd >= 0; i++)
        if (visitors->list[i].fd < 0 || visitors->list[i].due < place->due)
            place = &visitors->list[i];
    visitor_close(place);
    place->fd = fd;
    place->due = os_monotonic_ms() + VISIT_MS;
}

/* An answer is smaller than what a socket takes at once. */
static bool answer(const struct visitor *visitor, const char *status, const char *fields, const char *text) {
    char *out = NULL;
    int n = asprintf(&out,
                     "HTTP/1.1 %s\r\n%sContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
                     "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n"
                     "Connection: close\r\n\r\n%s",
                     status, fields, strlen(text), text);
    bool sent = n > 0 && send(visitor->fd, out, (size_t)n, 0) == n;
    if (n > 0)
        secret_wipe(out, (size_t)n);
    free(out);
    return sent;
}

static bool names_code(const struct handover *handover, const struct http_head *head) {
    return head->target.len == SECRET_TOKEN_LEN + 1 && http_text_equal(head->method, "GET") &&
           secret_equal(head->target.at + 1, handover->code, SECRET_TOKEN_LEN);
}

/* Whether the browser was sent on. */
static bool serve_visitor(const struct handover *handover, const struct visitor *visitor, const struct http_head *head,
                          const char *location, const char *fields) {
    const struct http_field *purpose = http_field_find(head, "Sec-Purpose");
    char *all = NULL;
    if (!names_code(handover, head)) {
        (void)answer(visitor, "404 Not Found", "", "There is nothing here, or not any more.\n");
        return false;
    }
    if (purpose && memmem(purpose->value.at, purpose->value.len, "prefetch", 8)) {
        (void)answer(visitor, "503 Service Unavailable", "", "Not yet: this address works once.\n");
        return false;
    }
    if (!socket_owner_is_me(visitor->fd)) {
        (void)answer(visitor, "403 Forbidden", "", "This address is for another user of this computer.\n");
        return false;
    }
    int n = asprintf(&all, "Location: %s\r\n%s", location, fields);
    bool sent = n > 0 && answer(visitor, "302 Found", all, "");
    if (n > 0)
        secret_wipe(all, (size_t)n);
    free(all);
    return sent;
}

/* Reads what came. True when it was the browser, and it was sent on. */
static bool hear_visitor(const struct handover *handover, struct visitor *visitor, const char *location,
                         const char *fields) {
    struct http_head head;
    size_t head_len;
    ssize_t n = recv(visitor->fd, visitor->request + visitor->len, REQUEST_MAX - visitor->len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    int rc = n > 0 ? 0 : SP_ECLOSED;
    if (!rc) {
        visitor->len += (size_t)n;
        rc = http_request_parse(visitor->request, visitor->len, &head, &head_len, NULL);
    }
    if (rc == SP_EAGAIN && visitor->len < REQUEST_MAX)
        return false;
    bool sent = !rc && serve_visitor(handover, visitor, &head, location, fields);
    visitor_close(visitor);
    return sent;
}

/* One wait. True when the browser was sent on. */
static bool serve_once(const struct handover *handover, struct visitors *visitors, const char *location,
                       const char *fields) {
    struct pollfd waits[VISITORS_MAX + 1];
    bool sent = false;
    for (size_t i = 0; i < VISITORS_MAX; i++)
        waits[i] = (struct pollfd){.fd = visitors->list[i].fd, .events = POLLIN};
    waits[VISITORS_MAX] = (struct pollfd){.fd = handover->listener, .events = POLLIN};
    if (poll(waits, VISITORS_MAX + 1, 500) < 0)
        return false;
    for (size_t i = 0; i < VISITORS_MAX && !sent; i++) {
        struct visitor *visitor = &visitors->list[i];
        if (visitor->fd >= 0 && waits[i].revents)
            sent = hear_visitor(handover, visitor, location, fields);
        else if (visitor->fd >= 0 && os_monotonic_ms() >= visitor->due)
            visitor_close(visitor);
    }
    if (!sent && waits[VISITORS_MAX].revents)
        accept_visitor(handover, visitors);
    return sent;
}

int handover_serve(struct handover *handover, const char *location, const char *fields, unsigned seconds) {
    uint64_t end = os_monotonic_ms() + seconds * UINT64_C(1000);
    struct visitors *visitors = calloc(1, sizeof *visitors);
    bool sent = false;
    if (!visitors)
        return SP_ENOMEM;
    for (size_t i = 0; i < VISITORS_MAX; i++)
        visitors->list[i].fd = -1;
    while (!sent && os_monotonic_ms() < end)
        sent = serve_once(handover, visitors, location, fields);
    for (size_t i = 0; i < VISITORS_MAX; i++)
        visitor_close(&visitors->list[i]);
    free(visitors);
    return sent ? 0 : SP_ETIMEOUT;
}
