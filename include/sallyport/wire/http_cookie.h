/* Cookies on their way through a proxy (RFC 6265): find one, take one out, make a foreign Set-Cookie harmless. Takes
 * text, touches no socket. */
#ifndef SALLYPORT_WIRE_HTTP_COOKIE_H
#define SALLYPORT_WIRE_HTTP_COOKIE_H

#include "sallyport/base/buf.h"
#include "sallyport/wire/http_head.h"

/* The value of the cookie `name` in a Cookie field. 0; SP_ENOENT; SP_EEXIST when it is there more than once (then
 * nobody can tell which is ours). Names are case-sensitive. */
int http_cookie_find(struct http_text field, const char *name, struct http_text *value);

/* Appends the field's other cookies to `out`, joined by "; " (nothing when there are none). Whatever a server could
 * take for `name`, in any case and with blanks around it, is left out. 0 or SP_ENOMEM. */
int http_cookie_strip(struct http_text field, const char *name, struct buf *out);

/* Appends a Set-Cookie value without its Domain attribute. 0; SP_ENOMEM; SP_EDENIED, and nothing is appended, for one
 * that must not reach a browser: its name is `name` in any case, or it has no name (browsers then take the value for
 * one), or it has control characters. */
int http_cookie_clean(struct http_text field, const char *name, struct buf *out);

#endif
