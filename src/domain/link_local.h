/* Shared by the files that read and write the link: one JSON object, checked, into a message. */
#ifndef SALLYPORT_DOMAIN_LINK_LOCAL_H
#define SALLYPORT_DOMAIN_LINK_LOCAL_H

#include "sallyport/domain/link.h"

struct json_t;

/* SP_EFORMAT, and says so. */
int link_refuse_field(struct why *why, const char *what);

/* 0, SP_EFORMAT or SP_ETOOBIG with why. `out` is all zero but for its kind. */
int link_read_reach(const struct json_t *object, struct link_message *out, struct why *why);
int link_read_verify(const struct json_t *object, struct link_message *out, struct why *why);
int link_read_open(const struct json_t *object, struct link_message *out, struct why *why);
int link_read_punch(const struct json_t *object, struct link_message *out, struct why *why);
int link_read_end(const struct json_t *object, struct link_message *out, struct why *why);
int link_read_lan(const struct json_t *object, struct link_message *out, struct why *why);
int link_read_wake(const struct json_t *object, struct link_message *out, struct why *why);
int link_read_publish(const struct json_t *object, struct link_message *out, struct why *why);

/* Takes the message over, and appends it as a line. NULL: a text was not UTF-8 (or memory is short, which jansson does
 * not tell apart). */
int link_append(struct buf *out, struct json_t *message);

#endif
