/* Follows a body of HTTP/1.1 through its frame (RFC 9112 sections 6 and 7), to tell where it ends. Strict; touches no
 * socket and keeps no bytes. */
#ifndef SALLYPORT_WIRE_HTTP_BODY_H
#define SALLYPORT_WIRE_HTTP_BODY_H

#include "sallyport/wire/http_head.h"

struct http_body {
    enum http_framing framing;
    uint64_t left;  /* bytes of the body or chunk to come */
    unsigned state; /* within the chunk lines; http_body.c knows */
    unsigned line;  /* bytes of the line or trailer section so far */
};

/* `length` counts for HTTP_LENGTH only. */
void http_body_init(struct http_body *body, enum http_framing framing, uint64_t length);
/* Is the last byte of it behind us? At once for HTTP_NO_BODY, only after http_body_end for HTTP_UNTIL_END. */
bool http_body_is_done(const struct http_body *body);

/* Looks at the next n bytes (n > 0, the body is not done). Of them the first *pass are to be sent on as they are, and
 * the *skip that follow are of this body too but not to be sent on: chunk extensions and trailers (RFC 9112 sections
 * 7.1.1 and 7.1.2). What is after those is for the next call, or no part of the body. 0 with *pass + *skip > 0, or
 * SP_EFORMAT (`why` says what): chunk sizes that are not 1 to 15 hex digits, anything but CRLF as a line end, control
 * characters, an extension of more than 256 bytes, trailers of more than 8192. */
int http_body_scan(struct http_body *body, const uint8_t *bytes, size_t n, size_t *pass, size_t *skip, struct why *why);

/* The sender has closed. 0 when the body is done with that, SP_EFORMAT when it is cut off. */
int http_body_end(struct http_body *body);

#endif
