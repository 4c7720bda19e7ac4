/* What the parsers of HTTP share: which byte may stand where. */
#ifndef SALLYPORT_WIRE_HTTP_LOCAL_H
#define SALLYPORT_WIRE_HTTP_LOCAL_H

#include "sallyport/wire/http_head.h"

#define HTTP_CHAR_TOKEN 1  /* RFC 9110 section 5.6.2: names of fields, methods */
#define HTTP_CHAR_VALUE 2  /* section 5.5: values of fields, blanks included */
#define HTTP_CHAR_TARGET 4 /* visible ASCII but '#' */
#define HTTP_CHAR_HOST 8   /* letters, digits, and - . : [ ] _ */

extern const uint8_t http_chars[256];

static inline bool http_char_is(char c, unsigned kinds) {
    return (http_chars[(uint8_t)c] & kinds) != 0;
}

static inline bool http_char_is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* Are all its bytes of one of these kinds? */
bool http_text_is_all(struct http_text text, unsigned kinds);
/* Are they the same but for case? */
bool http_text_alike(struct http_text one, struct http_text other);
/* Without blanks (SP and HTAB) at its ends. */
struct http_text http_text_trim(struct http_text text);
/* Takes the part of `rest` before the next `separator`, without blanks at its ends, off its front. False when nothing
 * is left; a separator at the end leaves no empty part behind it. */
bool http_text_split(struct http_text *rest, char separator, struct http_text *part);

/* Says in `why` what is wrong; always SP_EFORMAT. */
int http_refuse(struct why *why, const char *text);

/* What the fields said about the frame and the connection. Of a field that may stand there once, the last. */
struct http_seen {
    unsigned hosts, lengths, codings, upgrades, keys;
    struct http_text host, length, coding, upgrade;
    bool close, upgrading; /* named by Connection */
};

/* Notes one field, whose value lies in its line. 0, or SP_EFORMAT for one that is against the rules by itself. */
int http_seen_note(struct http_seen *seen, const struct http_field *field, struct why *why);
/* After the last field: sets all in `head` that follows from them. 0 or SP_EFORMAT. */
int http_seen_request(const struct http_seen *seen, struct http_head *head, struct why *why);
int http_seen_response(const struct http_seen *seen, bool to_head, bool upgrade, struct http_head *head,
                       struct why *why);

#endif
