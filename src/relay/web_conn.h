/* The connections of the web front: which host a request is for, and the way from there to a service of a machine. */
#ifndef SALLYPORT_RELAY_WEB_CONN_H
#define SALLYPORT_RELAY_WEB_CONN_H

#include <netinet/in.h>

#include "sallyport/base/secret.h"
#include "sallyport/wire/digest.h"
#include "sallyport/wire/http_conn.h"
#include "web_local.h"

#define WEB_COOKIE "__Host-sallyport"
#define WEB_TOUCH_S 300 /* how far behind the time of the last use may be: each write goes to the disk */
#define WEB_ORIGIN_SIZE 400
#define WEB_URL_SIZE 8192
#define WEB_OWN_PATH "/.sallyport/" /* what is below it on a service's host is ours */

enum web_host_kind { WEB_HOST_UNKNOWN, WEB_HOST_OWN, WEB_HOST_SERVICE };

/* What a Host field means here. */
struct web_host {
    enum web_host_kind kind;
    const char *authority;      /* the one of ours, with its port */
    bool local;                 /* a name of this very machine: localhost, *.localhost, 127.0.0.1, [::1] */
    char machine[SP_NAME_SIZE]; /* of a service's host ... */
    char service[SP_NAME_SIZE];
    char origin[WEB_ORIGIN_SIZE]; /* "https://box1--jupyter.relay.example:2222", as browsers write it */
};

/* web_host.c: takes a Host field apart; `tls` decides on the port that may be left out. Never fails: what is not ours
 * is WEB_HOST_UNKNOWN. */
void web_host_parse(const struct web *web, const char *text, size_t len, bool tls, struct web_host *out);
/* The origin of a service beside the relay's own host `authority`; SP_ENOENT when that is an address, which has no
 * names below it. */
int web_host_service_origin(const char *authority, bool tls, const char *machine, const char *service,
                            char to[static WEB_ORIGIN_SIZE]);
/* Is that an address of this very machine? */
bool web_peer_is_local(const struct sockaddr_storage *peer);

/* Which service the requests of a connection may reach, as it was found at the last look. Wiped at its end: the token
 * is kept so that the next request with the same one needs no hash. */
struct web_access {
    bool known;
    unsigned rights; /* web->rights at the time */
    int64_t looked;  /* UTC seconds of it */
    char token[SECRET_TOKEN_LEN + 1];
    int64_t session_id, user_id, last_used, machine_id;
    char user[SP_NAME_SIZE];
    char machine[SP_NAME_SIZE], service_name[SP_NAME_SIZE];
    uint64_t carried; /* bytes at the last tick */
};

enum web_target { WEB_TARGET_NONE, WEB_TARGET_PAGES, WEB_TARGET_SERVICE };

/* A connection to a service that is being opened; outlives the connection that wanted it. */
struct web_opening;

/* A browser's connection. */
struct web_conn {
    struct list link;
    struct web *web;
    struct tls_conn *handshake; /* while it is under way */
    struct http_conn *http;     /* after it */
    struct sockaddr_storage peer;
    char peer_text[INET6_ADDRSTRLEN];
    uint64_t deadline;
    bool tls;
    bool fresh;  /* no whole request yet */
    bool ending; /* pushed out */
    enum web_target target;
    struct web_host host; /* of the request that is under way */
    struct web_access access;
    int64_t upstream_machine; /* where the stream upstream leads ... */
    uint16_t port;            /* ... and the service's port there */
    bool wants_page;          /* whoever asked reads HTML */
    uint64_t counted;         /* bytes that are in the counters already */
    struct web_opening *opening;
    struct web_listener *listener;
    void (*closed)(void *ctx);
    void *ctx;
};

/* web_conn.c: ends it, in whatever state: at once during the handshake, else in a later round. */
void web_conn_end(struct web_conn *conn);

/* web_room.c: the connection that goes to make room for one from `guest`; NULL: all have to stay. */
struct web_conn *web_room_find(struct web *web, const struct sockaddr_storage *guest);

/* web_refuse.c: answers by ourselves where no page of ours is: on a service's host, or before anybody is asked. A page
 * for people, {"error": text} for programs. `link` may be NULL: the way on is the relay's own page. */
void web_refuse(struct web_conn *conn, unsigned status, const char *title, const char *text, const char *link,
                const char *link_text);
/* `to` must be clean; `cookie` (may be NULL) is a Set-Cookie value. */
void web_redirect(struct web_conn *conn, unsigned status, const char *to, const char *cookie);
/* The head of an answer of ours: status, type (may be NULL), the fixed fields. 0 or SP_ENOMEM. */
int web_reply_head(const struct web *web, unsigned status, const char *type, struct buf *head);
/* "https://relay.example:2222" for links from a service's host to the relay's. */
void web_relay_origin(const struct web_conn *conn, char to[static WEB_ORIGIN_SIZE]);

/* web_service.c: a request for a service's host. */
void web_service_request(struct web_conn *conn, const struct http_head *head);
void web_service_connect(struct web_conn *conn);
void web_service_failed(struct web_conn *conn, enum http_failure failure, const struct why *why);
/* No more may come to this connection from an opening. */
void web_service_forget(struct web_conn *conn);

/* web_access.c: who asks, and may he? Looks up the session of the cookie in `head` (or what was found a moment ago).
 * SP_ENOENT: no session here; SP_EDENIED: not this service, or it does not exist for him; SP_ESYS, SP_ENOMEM. */
int web_access_find(struct web_conn *conn, const struct http_head *head);
/* Is what was found still right? */
bool web_access_is_good(struct web_conn *conn);
/* The token in our cookie of a request's Cookie fields: 0, SP_ENOENT, or SP_EEXIST when there are several. */
int web_access_token(const struct http_head *head, char to[static SECRET_TOKEN_LEN + 1]);
/* Does a page that is not of this very origin stand behind the request (Fetch Metadata, Origin)? Then a sentence says
 * why it is refused; else NULL. */
const char *web_access_foreign(const struct http_head *head, const char *origin);

/* web_rewrite.c: heads on their way through. Appends what http_conn_forward and the `response` event want. */
struct web_rewrite {
    const char *origin; /* of the service's host as the browser sees it */
    uint16_t port;      /* of the service at its machine */
    const char *token;  /* of a Jupyter; "" when there is none */
};
int web_rewrite_request(const struct web_rewrite *rewrite, const struct http_head *head, struct buf *out);
int web_rewrite_response(const struct web_rewrite *rewrite, const struct http_head *head, struct buf *out);
/* As it is, without the fields of this hop: to and from our own pages. */
int web_rewrite_pass(const struct http_head *head, struct buf *out);

/* web_hop.c: from the relay's host to a service's host, with a code that works once and for 30 s; web_hop_codes.c keeps
 * the codes. */
struct web_hops;
#define WEB_HOPS_MAX 512 /* codes that are under way at once; beyond that the oldest no longer works ... */
#define WEB_HOPS_EACH 16 /* ... nor beyond so many of one session */
int web_hops_new(struct loop *loop, unsigned life_ms, struct web_hops **out); /* 0 or SP_ENOMEM */
void web_hops_free(struct web_hops *hops);                                    /* NULL is allowed */
/* A code for this session to that service. 0, SP_ESYS. */
int web_hop_make(struct web_hops *hops, int64_t session_id, int64_t machine_id, const char *service,
                 char code[static SECRET_TOKEN_LEN + 1]);
struct web_hop {
    int64_t session_id, machine_id;
    char service[SP_NAME_SIZE];
};
/* Uses a code up. 0; SP_ENOENT: no such code, or used already; SP_EEXPIRED. */
int web_hop_redeem(struct web_hops *hops, const char *code, struct web_hop *out);
/* The token of the service's session that this hop led to; kept for as long as a code is good. */
void web_hop_remember(struct web_hops *hops, const struct web_hop *hop, const char *token);
int web_hop_recall(struct web_hops *hops, const struct web_hop *hop,
                   char token[static SECRET_TOKEN_LEN + 1]); /* 0 or SP_ENOENT */
/* GET /open/MACHINE/SERVICE?to=PATH on the relay's host. */
void web_hop_open(struct web_visit *visit);
/* Where the browser goes after a login: on to the service that it was asked for, or to the machines. */
void web_hop_after_login(struct web_visit *visit);
/* The address that begins a hop to `target` on that service. 0 or SP_ETOOBIG. */
int web_hop_url(const char *relay_origin, const char *machine, const char *service, struct http_text target,
                char to[static WEB_URL_SIZE]);
/* GET /.sallyport/enter/CODE on a service's host. */
void web_hop_enter(struct web_conn *conn, const struct http_head *head);
/* Is this what may stand in `to`: a path on the same host, no other host's? */
bool web_hop_is_path(const char *path);

#endif
