/* One JSON value a line: how the link, the local sockets and --json carry their data. */
#ifndef SALLYPORT_DOMAIN_JSONLINE_H
#define SALLYPORT_DOMAIN_JSONLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"

struct json_t;

/* Appends the value, compact, and a \n. Takes the value over, whatever is returned; NULL (a builder that ran out of
 * memory) is SP_ENOMEM. SP_ETOOBIG when the line with its \n is longer than max. On failure nothing was appended. */
int jsonline_append(struct buf *out, struct json_t *value, size_t max);
/* The same without the \n, for a message that is not one of many; max counts as if it were there. */
int jsonline_append_bare(struct buf *out, struct json_t *value, size_t max);

/* Reads one line, which must be an object nested at most `depth` deep, keys distinct. The object is the caller's (to
 * json_decref). SP_EFORMAT, SP_ETOOBIG (too deep). `why` quotes nothing of the line. */
int jsonline_read(const char *line, size_t len, unsigned depth, struct json_t **out, struct why *why);

/* The member, when it is a string that fits into size with its terminator and has no control characters: copies it and
 * says true. Else false, and nothing is written. */
bool jsonline_text(const struct json_t *object, const char *member, char *to, size_t size);
/* The member, when it is a string: as much of it as fits, no character cut in two; "" when it has control characters. */
bool jsonline_text_cut(const struct json_t *object, const char *member, char *to, size_t size);
/* The member, when it is base64url of exactly n bytes. */
bool jsonline_bytes(const struct json_t *object, const char *member, uint8_t *to, size_t n);
/* The member, when it is an integer within min..max. */
bool jsonline_integer(const struct json_t *object, const char *member, int64_t min, int64_t max, int64_t *out);

/* Sets the member to a text; nothing for NULL, "", and bytes that are no clean text. False: out of memory. */
bool jsonline_set_text(struct json_t *object, const char *member, const char *text);
/* The member, when it is a time after 1970, RFC 3339 in UTC with whole seconds. */
bool jsonline_time(const struct json_t *object, const char *member, int64_t *unix_seconds);
/* Sets the member to a time, RFC 3339 in UTC; nothing for 0, which is no time. False: out of memory. */
bool jsonline_set_time(struct json_t *object, const char *member, int64_t unix_seconds);

#endif
