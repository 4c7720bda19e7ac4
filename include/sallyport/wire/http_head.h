/* The head of an HTTP/1.1 message, parsed strictly (RFC 9110, RFC 9112): what two parsers could read differently is
 * refused. Takes bytes, touches no socket. */
#ifndef SALLYPORT_WIRE_HTTP_HEAD_H
#define SALLYPORT_WIRE_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/err.h"

#define HTTP_HEAD_MAX 32768 /* bytes, with the empty line */
#define HTTP_FIELDS_MAX 100

/* Bytes within the head; not terminated. */
struct http_text {
    const char *at;
    size_t len;
};

struct http_field {
    struct http_text name, value; /* the value without blanks at its ends; may be empty */
};

/* How the body after the head is delimited (RFC 9112 section 6.3). */
enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED, HTTP_UNTIL_END };

/* Borrows the bytes that were parsed. */
struct http_head {
    struct http_text method, target; /* of a request; the target begins with '/' */
    struct http_text reason;         /* of a response; may be empty */
    struct http_text host;           /* of a request: the value of its one Host field */
    unsigned status;                 /* of a response: 100..599 */
    unsigned minor;                  /* the 0 or 1 of HTTP/1.x */
    struct http_field fields[HTTP_FIELDS_MAX];
    size_t field_count;
    enum http_framing framing;
    uint64_t length; /* HTTP_LENGTH: bytes, at least 1 */
    bool keep;       /* the sender would go on with this connection after the body; not after a wish to upgrade */
    bool websocket;  /* a request for, or the 101 that grants, an upgrade to websocket (RFC 6455 section 4) */
};

/* Parses a request head at the beginning of `bytes`. 0 and its length with the empty line; SP_EAGAIN: not whole yet;
 * SP_ETOOBIG: over HTTP_HEAD_MAX or HTTP_FIELDS_MAX (431); SP_EVERSION: not HTTP/1.x (505); SP_EFORMAT: anything else
 * (400); `why` says what, without quoting. HTTP_UNTIL_END does not happen. Refused are, beside what the grammar
 * excludes: bare CR or LF, obs-fold, control characters and bytes over 0x7f in the request line, blanks before ':', an
 * empty line at the start, targets other than origin-form, no Host or several, Content-Length that is double, in a list,
 * or not digits, Transfer-Encoding other than exactly `chunked`, both together, either with HTTP/1.0, a tab beside the
 * value of one of these or of Host, `Connection` naming a field of the frame, CONNECT. */
int http_request_parse(const uint8_t *bytes, size_t n, struct http_head *out, size_t *head_len, struct why *why);

/* The same for a response, but that one of HTTP/1.0 may have a Content-Length. `to_head`: the request was HEAD;
 * `upgrade`: it asked for websocket (101 is SP_EFORMAT else, and a 101 must name that upgrade). */
int http_response_parse(const uint8_t *bytes, size_t n, bool to_head, bool upgrade, struct http_head *out,
                        size_t *head_len, struct why *why);

/* Without regard to case. */
bool http_text_is(struct http_text text, const char *word);
/* With regard to case: methods, paths. */
bool http_text_equal(struct http_text text, const char *word);
bool http_text_starts(struct http_text text, const char *prefix);
/* Is `token` an element of this comma-separated list (RFC 9110 section 5.6.1)? Without regard to case. */
bool http_list_has(struct http_text list, const char *token);

/* The first field of that name, or NULL; and how many there are. */
const struct http_field *http_field_find(const struct http_head *head, const char *name);
size_t http_field_count(const struct http_head *head, const char *name);
/* Does the field concern only this hop (RFC 9110 section 7.6.1): Connection and what it names, Keep-Alive,
 * Proxy-Connection, Proxy-Authenticate, Proxy-Authorization, TE, Trailer, Transfer-Encoding, Upgrade, HTTP2-Settings? */
bool http_field_is_hop(const struct http_head *head, const struct http_field *field);

#endif
