/* The messages of the link between agent and relay (docs/PROTOCOL.md section 3), read and written. */
#ifndef SALLYPORT_DOMAIN_LINK_H
#define SALLYPORT_DOMAIN_LINK_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"
#include "sallyport/domain/service.h"
#include "sallyport/domain/status.h"

#define LINK_PROTOCOL 1     /* the highest version that is spoken here */
#define LINK_LINE_MAX 65536 /* bytes of a line with its \n */
#define LINK_DEPTH_MAX 16
#define LINK_HOST_KEYS_MAX 8
#define LINK_HOST_KEY_MAX 4096 /* characters */

enum link_kind {
    LINK_HELLO,
    LINK_SERVICES,
    LINK_STATUS,
    LINK_PING,
    LINK_WELCOME,
    LINK_PONG,
    LINK_ERROR,
    LINK_UNKNOWN, /* the peer's answer to a kind that it does not know: never answered */
    LINK_OTHER,   /* a kind that is not known here: to be answered by link_format_unknown */
};

struct link_hello {
    int64_t protocol;        /* 1 or more */
    char name[SP_NAME_SIZE]; /* a valid name */
    char version[32];        /* these three may be "" */
    char boot_id[64];
    char hostname[256];
    char **host_keys; /* lines as in a .pub file; owned, and so is each */
    size_t host_key_count;
};

struct link_services {
    struct service *list; /* owned: service_free_list, for it has tokens */
    size_t count;         /* at most SERVICES_MAX, names distinct */
};

struct link_welcome {
    int64_t protocol;
    char version[32]; /* these two may be "" */
    char observed_address[64];
    int64_t server_time; /* UTC seconds; 0: not said */
};

struct link_message {
    enum link_kind kind;
    union {
        struct link_hello hello;
        struct link_services services;
        struct status status;
        struct link_welcome welcome;
        int64_t n;      /* LINK_PING, LINK_PONG: 0 or more */
        char text[512]; /* LINK_ERROR: cut off when longer; "" when it has control characters */
        char of[64];    /* LINK_UNKNOWN, LINK_OTHER: the kind */
    };
};

/* Reads one line (without its \n, or with it). Never trusts it. Unknown fields are ignored; optional fields of a wrong
 * type count as absent; services of a kind that is not known here are left out. SP_EFORMAT: not a JSON object, or a
 * needed field is missing or wrong; SP_ETOOBIG: line, depth or a list over its bound; SP_ENOMEM. `why` may be sent to
 * the peer. */
int link_parse(const char *line, size_t len, struct link_message *out, struct why *why);
/* Frees what the message owns. */
void link_message_fini(struct link_message *message);
/* "hello", "services", ...; "other" for LINK_OTHER. */
const char *link_kind_name(enum link_kind kind);

/* Each appends one line with its \n. 0, SP_ENOMEM, or SP_ETOOBIG when the line would be over LINK_LINE_MAX; SP_EFORMAT
 * when a text is not UTF-8. On failure nothing was appended. */
int link_format_hello(struct buf *out, const struct link_hello *hello);
/* With the tokens. Names of notebooks, then details, are left out of a list that would be too long. */
int link_format_services(struct buf *out, const struct service *list, size_t count);
int link_format_status(struct buf *out, const struct status *status);
int link_format_ping(struct buf *out, int64_t n);
int link_format_welcome(struct buf *out, const struct link_welcome *welcome);
int link_format_pong(struct buf *out, int64_t n);
int link_format_error(struct buf *out, const char *text);
int link_format_unknown(struct buf *out, const char *of);

#endif
