/* What the files of the TLS layer share among themselves. */
#ifndef SALLYPORT_WIRE_TLS_LOCAL_H
#define SALLYPORT_WIRE_TLS_LOCAL_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/list.h"
#include "sallyport/wire/tls.h"

/* What a TLS socket is watched for. Edge triggered and registered once: a request costs no epoll_ctl. */
#define TLS_EVENTS ((uint32_t)(EPOLLIN | EPOLLOUT | EPOLLRDHUP) | (uint32_t)EPOLLET)

struct tls_server {
    SSL_CTX *ctx;
    struct list conns; /* of struct tls_conn, handshakes that are under way */
};

/* tls_io.c: between OpenSSL and a socket. What OpenSSL writes is always taken, and sent by tls_io_flush; so OpenSSL
 * never waits for room, and several records cost one system call. */
struct tls_io {
    int fd;
    BIO_METHOD *method;
    struct buf out; /* records that the socket did not take yet */
    bool drained;   /* there is nothing to read until the loop says so: not even asked */
    bool hangup;    /* the peer's FIN came: the end is to be found by reading */
    bool cut;       /* that end was found */
    bool lost;      /* the socket is of no more use, in either direction */
};

/* Puts `ssl` on the socket, which becomes the io's once this succeeds: 0 or SP_ENOMEM. */
int tls_io_new(SSL *ssl, int fd, struct tls_io **out);
/* Closes the socket; `ssl` (with which it was made) is freed, too. */
void tls_io_free(struct tls_io *io, SSL *ssl);
/* The loop reported these events. */
void tls_io_wake(struct tls_io *io, uint32_t events);
/* Sends what waits, as far as it goes. Returns whether any of it went. */
bool tls_io_flush(struct tls_io *io);
/* What a call into OpenSSL that returned n <= 0 means: 0 try again later, SP_ECLOSED the peer closed in order,
 * SP_ECRYPTO the connection is of no more use, or only the peer's end of the socket was found (io->cut). */
int tls_verdict(SSL *ssl, int n);

/* tls_conn.c: ends the handshakes of this list, with `failed`. */
void tls_conn_fail_all(struct list *conns);

/* tls_stream.c: takes over ssl and io after the handshake. 0; SP_ENOMEM, SP_ESYS: they stay with the caller. */
int tls_stream_new(struct loop *loop, SSL *ssl, struct tls_io *io, struct stream **out);

/* For OpenSSL's passphrase callbacks: -1. Without it OpenSSL asks at the terminal, where a daemon has nobody. */
int tls_refuse_passphrase(char *to, int size, int writing, void *ctx);

/* OpenSSL's newest complaint in this thread, in its words. Never NULL. */
const char *tls_reason(void);

#endif
