/* The door's lines (docs/PROTOCOL.md section 7): `SALLY1 MODE ARGUMENT` in, `SALLY1 ok|no REST` out, then raw bytes.
 * Pure: reads and writes text, touches no socket. */
#ifndef SALLYPORT_WIRE_DOOR_H
#define SALLYPORT_WIRE_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"

enum {
    DOOR_LINE_MAX = 1024,    /* bytes of a question with its \n */
    DOOR_ANSWER_MAX = 20480, /* bytes of an answer with its \n */
    DOOR_KNOCK_SIZE = 16,    /* bytes of a knock; 22 characters of base64url */
    DOOR_KNOCK_TEXT = 22,
};

enum door_mode {
    DOOR_RAW,   /* TICKET: a stream of raw bytes follows */
    DOOR_KNOCK, /* KNOCK: are you the door that the relay told me of? Another question may follow */
    DOOR_PROVE, /* TICKET: sign it */
    DOOR_ASK,   /* KEY.SEALED: which ways lead there? Relay only; another question may follow */
    DOOR_SERVE, /* TICKET: a machine fetches a stream. Relay only */
    DOOR_PUNCH, /* TICKET: where is the other one? Relay only */
    DOOR_OTHER, /* a mode that is not known here */
};

struct door_line {
    enum door_mode mode;
    const char *argument; /* points into the line; visible ASCII without blanks, not empty */
    size_t len;
};

/* The first n bytes of what came. 0: *used is how many bytes the line takes with its \n, and *out what it says;
 * SP_EAGAIN: no whole line yet; SP_EFORMAT: this is no door's question; SP_ETOOBIG: longer than DOOR_LINE_MAX. A line
 * may end in \r\n. */
int door_line_parse(const uint8_t *bytes, size_t n, struct door_line *out, size_t *used);
/* Appends a question. SP_EINVAL: the argument has blanks or is too long. */
int door_line_format(struct buf *out, enum door_mode mode, const char *argument);

struct door_answer {
    bool ok;
    const char *text; /* the rest of the line, clean ASCII, may be empty; points into the line, no end mark */
    size_t len;
};

/* The same for the answer, at most DOOR_ANSWER_MAX. */
int door_answer_parse(const uint8_t *bytes, size_t n, struct door_answer *out, size_t *used);
/* Appends `SALLY1 ok TEXT` or `SALLY1 no TEXT`; text may be NULL. SP_EINVAL: not clean, or too long. */
int door_answer_format(struct buf *out, bool ok, const char *text);

#endif
