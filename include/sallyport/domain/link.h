/* The messages of the link between agent and relay (docs/PROTOCOL.md section 3), read and written. */
#ifndef SALLYPORT_DOMAIN_LINK_H
#define SALLYPORT_DOMAIN_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"
#include "sallyport/domain/candidate.h"
#include "sallyport/domain/name.h"
#include "sallyport/domain/service.h"
#include "sallyport/domain/status.h"
#include "sallyport/domain/ticket.h"

#define LINK_PROTOCOL 1     /* the highest version that is spoken here */
#define LINK_LINE_MAX 65536 /* bytes of a line with its \n */
#define LINK_DEPTH_MAX 16
#define LINK_HOST_KEYS_MAX 8
#define LINK_HOST_KEY_MAX 4096 /* characters */

enum link_kind {
    LINK_HELLO,
    LINK_SERVICES,
    LINK_STATUS,
    LINK_REACH,
    LINK_PING,
    LINK_WELCOME,
    LINK_PONG,
    LINK_VERIFY,
    LINK_OPEN,
    LINK_PUNCH,
    LINK_END,
    LINK_LAN,
    LINK_WAKE,
    LINK_PUBLISH,
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
    int64_t time;     /* UTC seconds by the machine's clock; 0: not said */
    char **host_keys; /* lines as in a .pub file; owned, and so is each */
    size_t host_key_count;
};

struct link_services {
    struct service *list; /* owned: service_free_list, for it has tokens */
    size_t count;         /* at most SERVICES_MAX, names distinct */
};

struct link_welcome {
    int64_t protocol;
    char version[32]; /* these three may be "" */
    char observed_address[64];
    char name[SP_NAME_SIZE]; /* the machine's, on this relay: after a rename it is not what the machine came by */
    int64_t server_time;     /* UTC seconds; 0: not said */
    bool has_ticket_key;     /* a relay that issues tickets */
    uint8_t ticket_key[32];  /* Ed25519, public */
};

/* Where this machine's door is, and what the router did for it. */
struct link_reach {
    bool has_door;        /* `direct` is not off, and it listens: the next two are said */
    bool can_fetch;       /* it understands `open` */
    uint8_t door_key[32]; /* Ed25519, public: with this the door proves itself */
    char knock[23];       /* what a door answers to without a ticket; base64url of 16 bytes */
    size_t count;
    struct candidate list[CANDIDATES_MAX]; /* state, checked and text are not said */
    char trouble[CANDIDATE_TEXT_SIZE];     /* why there is no mapped port, for people; may be "" */
};

/* What the relay found at the candidates of the last `reach`. */
struct link_verify {
    size_t count;
    struct candidate list[CANDIDATES_MAX]; /* `by` is not said */
};

/* Come and fetch a stream (open), or come and meet a client (punch). */
struct link_call {
    char ticket[TICKET_TEXT_SIZE];
    char service[SP_NAME_SIZE]; /* open only */
    char user[SP_NAME_SIZE];
};

/* A user's right has ended: his streams through the door end, too. */
struct link_end {
    char user[SP_NAME_SIZE];
    char service[SP_NAME_SIZE]; /* "": to all services */
};

/* The wired or wireless networks that this machine is in: so that it can be woken there, or wake others. */
#define LINK_NETWORKS_MAX 8
struct link_network {
    char mac[18];     /* "aa:bb:cc:dd:ee:ff": six bytes, lower case, no group address */
    char network[19]; /* IPv4, "192.168.1.0/24" */
};
struct link_lan {
    size_t count;
    struct link_network list[LINK_NETWORKS_MAX];
};

/* Publish a service that was only found, from now on and after restarts; or no more. */
struct link_publish {
    char service[SP_NAME_SIZE];
    uint16_t port; /* it must be the one that was found there */
    bool published;
};

struct link_pong {
    int64_t n;
    int64_t server_time; /* UTC seconds; 0: not said */
};

struct link_message {
    enum link_kind kind;
    union {
        struct link_hello hello;
        struct link_services services;
        struct status status;
        struct link_reach reach;
        struct link_welcome welcome;
        struct link_verify verify;
        struct link_call call; /* LINK_OPEN, LINK_PUNCH */
        struct link_end end;
        struct link_lan lan;
        struct link_network wake; /* send the packet for that address into that network */
        struct link_publish publish;
        struct link_pong pong;
        int64_t n;      /* LINK_PING: 0 or more */
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
/* The six bytes of "aa:bb:cc:dd:ee:ff"; false when it is no such address, or that of a group. */
bool link_mac_bytes(const char *text, uint8_t to[static 6]);
/* "hello", "services", ...; "other" for LINK_OTHER. */
const char *link_kind_name(enum link_kind kind);

/* Each appends one line with its \n. 0, SP_ENOMEM, or SP_ETOOBIG when the line would be over LINK_LINE_MAX; SP_EFORMAT
 * when a text is not UTF-8. On failure nothing was appended. */
int link_format_hello(struct buf *out, const struct link_hello *hello);
/* With the tokens. Names of notebooks, then details, are left out of a list that would be too long. */
int link_format_services(struct buf *out, const struct service *list, size_t count);
/* What a list of machines does not show, then commands, are left out of one that would be too long. */
int link_format_status(struct buf *out, const struct status *status);
int link_format_reach(struct buf *out, const struct link_reach *reach);
int link_format_ping(struct buf *out, int64_t n);
int link_format_welcome(struct buf *out, const struct link_welcome *welcome);
int link_format_pong(struct buf *out, const struct link_pong *pong);
int link_format_verify(struct buf *out, const struct link_verify *verify);
/* LINK_OPEN or LINK_PUNCH. */
int link_format_call(struct buf *out, enum link_kind kind, const struct link_call *call);
int link_format_end(struct buf *out, const struct link_end *end);
int link_format_lan(struct buf *out, const struct link_lan *lan);
int link_format_wake(struct buf *out, const struct link_network *wake);
int link_format_publish(struct buf *out, const struct link_publish *publish);
int link_format_error(struct buf *out, const char *text);
int link_format_unknown(struct buf *out, const char *of);

#endif
