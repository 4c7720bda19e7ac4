/* What the files of the TLS layer share among themselves. */
#ifndef SALLYPORT_WIRE_TLS_LOCAL_H
#define SALLYPORT_WIRE_TLS_LOCAL_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/list.h"
#include "sallyport/wire/tls.h"

struct tls_server {
    SSL_CTX *ctx;
    struct list conns; /* of struct tls_conn */
};

struct tls_conn {
    struct list link;
    SSL *ssl;
    struct loop_fd socket; /* the peer */
    struct loop_fd plain;  /* our end of the pair; not watched during the handshake */
    struct loop_task more; /* the turn's budget was used up */
    struct loop_timer timer;
    struct buf in, out; /* from the peer, to the peer */
    bool in_end;        /* the peer said close_notify ... */
    bool in_shut;       /* ... and the plain side was told */
    bool in_drop;       /* the plain side is gone: what the peer still sends is thrown away */
    bool out_end;       /* the plain side sends no more ... */
    bool out_shut;      /* ... and the peer was told */
    const struct tls_events *events;
    void *ctx;
};

/* Closes it, frees it, and reports `closed`. */
void tls_conn_finish(struct tls_conn *conn);

/* For OpenSSL's passphrase callbacks: -1. Without it OpenSSL asks at the terminal, where a daemon has nobody. */
int tls_refuse_passphrase(char *to, int size, int writing, void *ctx);

/* OpenSSL's newest complaint in this thread, in its words. Never NULL. */
const char *tls_reason(void);

#endif
