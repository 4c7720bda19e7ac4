/* What the files of http_conn share. */
#ifndef SALLYPORT_WIRE_HTTP_CONN_LOCAL_H
#define SALLYPORT_WIRE_HTTP_CONN_LOCAL_H

#include "sallyport/wire/http_body.h"
#include "sallyport/wire/http_conn.h"

/* Where the request is. Bytes of the client are taken in AWAITED and SENDING only; else they stay in its stream. */
enum request_phase {
    REQUEST_AWAITED,    /* its head is coming, or nothing yet */
    REQUEST_ASKED,      /* the owner decides */
    REQUEST_CONNECTING, /* the owner brings a stream upstream */
    REQUEST_SENDING,    /* head and body go upstream */
    REQUEST_SENT,       /* nothing of it is left */
};

enum response_phase {
    RESPONSE_NONE,
    RESPONSE_AWAITED, /* its head */
    RESPONSE_BODY,
    RESPONSE_DONE, /* its last byte is in to_client, or out */
};

/* A stream and what of it is kept between two events. */
struct http_side {
    struct stream *stream; /* NULL upstream while there is none */
    struct buf head;       /* the part of a head that came so far */
    struct http_body body; /* of the message from this side */
    bool stopped;          /* it was refused bytes and waits for a resume */
    bool blocked;          /* it refused bytes, and will say `writable` */
    bool ended;            /* it sends no more */
};

struct http_conn {
    struct loop *loop;
    struct loop_task task; /* going on, and the end, from the top of the loop */
    struct loop_timer timer;
    struct http_conn_config config;
    const struct http_conn_events *events;
    void *ctx;
    struct http_side client, upstream;
    enum request_phase request;
    enum response_phase response;
    struct buf to_upstream; /* the head of the request, kept until an answer begins: it may have to be sent anew */
    size_t head_sent;       /* of it */
    struct buf to_client;   /* heads and small answers on their way */
    uint64_t head_due;      /* while the request is awaited */
    uint64_t progress;      /* when bytes last moved */
    uint64_t rested;        /* since when the upstream is idle */
    uint64_t carried;
    unsigned interim; /* 1xx answers to this request */
    unsigned minor;   /* of the client's HTTP version */
    bool first;       /* no request has come yet */
    bool dead;        /* to be freed by the task */
    bool in_client;   /* within the client's data event */
    bool to_head;     /* the request is HEAD */
    bool websocket;   /* the request asks for it */
    bool upgraded;    /* and has got it */
    bool told_end;    /* then: the client was told that no more comes */
    bool has_body;    /* of the request */
    bool says_empty;  /* the request says that its body is empty: some servers want to hear that */
    bool repeatable;  /* the request may be sent twice: a safe method without a body */
    bool reused;      /* its upstream has answered before */
    bool deaf;        /* the upstream takes no more, but may still answer */
    bool keep_client; /* may the connection go on after this answer? */
    bool keep_upstream;
    bool wrapping;  /* the answer ends with its stream, and goes on in chunks: so one that is cut off shows as that */
    bool streaming; /* an answer of ours without end */
};

/* Looks what is to be done after anything has moved: end, the next request, the timer. */
void http_conn_settle(struct http_conn *conn);
/* Sends what waits in to_client. */
void http_conn_flush(struct http_conn *conn);
/* Carries n bytes of a body from one side to the other. Returns how many are done with (0: the other side is blocked,
 * or *rc says what is wrong). `held`, when not NULL, takes the bytes that are passed on instead of the stream. */
size_t http_conn_carry(struct http_conn *conn, struct http_side *from, struct http_side *to, const uint8_t *bytes,
                       size_t n, struct buf *held, int *rc, struct why *why);
/* The head of the request, as far as the upstream takes it. */
void http_conn_push_head(struct http_conn *conn);
/* No request of this client any more is understood, or it has broken off. */
void http_conn_refuse(struct http_conn *conn, int rc, const struct why *why);

/* http_upstream.c */
extern const struct stream_events http_upstream_events;
void http_upstream_drop(struct http_conn *conn);

#endif
