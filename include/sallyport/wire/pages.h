/* Serves our own pages over HTTP/1.1 (libmicrohttpd): requests in, whole responses out. Never used for proxying. */
#ifndef SALLYPORT_WIRE_PAGES_H
#define SALLYPORT_WIRE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/loop.h"

#define PAGES_PATH_MAX 1024  /* longer: 414 */
#define PAGES_BODY_MAX 65536 /* longer: 413 */

struct pages;

/* A whole request. Everything in it is the server's and valid during the call of the handler only. */
struct page_request {
    const char *method;  /* as sent: "GET" */
    const char *path;    /* up to the '?', not decoded, begins with '/' */
    const char *query;   /* after the '?', not decoded; "" when there is none */
    const char *host;    /* the one Host header; requests with none or several are refused */
    const uint8_t *body; /* NULL when empty */
    size_t body_len;
    unsigned refused; /* 0, or the status (400, 413, 414) that it will be refused with, whatever the handler says: it
                         only gets to choose the words, and nothing else here is to be trusted */
    const char *peer; /* the address, without the port */
    bool tls;
    void *lookup; /* for page_request_header and page_request_cookie */
};

/* The first header or cookie of that name, or NULL. Header names are matched without regard to case. */
const char *page_request_header(const struct page_request *request, const char *name);
const char *page_request_cookie(const struct page_request *request, const char *name);

/* What the handler fills in; it finds status 500 and no body. */
struct page_response {
    unsigned status;
    const char *type;     /* Content-Type, a constant; NULL: none */
    const uint8_t *fixed; /* a body that lives as long as the program ... */
    size_t fixed_len;
    struct buf body;    /* ... or, when there is none, one that is handed over here */
    struct buf headers; /* through page_response_header */
    bool close;         /* end the connection after it */
};

/* Adds a header. 0, SP_ENOMEM, or SP_EINVAL for a value with control characters (nothing is added). */
int page_response_header(struct page_response *response, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct pages_config {
    struct loop *loop;
    unsigned max_connections; /* 0: 1024 */
    unsigned head_ms;         /* a later request, from its first line to its last byte; 0: 20 s */
    unsigned rest_ms;         /* between two requests; 0: 60 s */
    unsigned answer_ms;       /* to take a whole response; 0: 120 s */
    void (*handle)(void *ctx, const struct page_request *request, struct page_response *response);
    void *ctx;
};

/* 0, SP_ENOMEM or SP_ESYS. pages_free closes every connection (their `closed` is called); NULL is allowed. */
int pages_new(const struct pages_config *config, struct pages **out);
void pages_free(struct pages *pages);

/* Serves the non-blocking stream socket `fd`, which belongs to the pages from now on, whatever is returned. The first
 * request must be there, whole, by `deadline` (on loop_now's clock, ms); what comes later has the times of the
 * configuration. `peer` is the client's address, `tls` says that it came by TLS.
 * `closed` (may be NULL) is called once, when the connection is over, never from inside. SP_EBUSY when max_connections
 * are open, SP_ENOMEM: it was closed, and `closed` does not follow. */
int pages_accept(struct pages *pages, int fd, const struct sockaddr_storage *peer, bool tls, uint64_t deadline,
                 void (*closed)(void *ctx), void *ctx);

#endif
