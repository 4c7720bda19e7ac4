/* TLS on the server's side: certificates, handshakes, and what is inside as a stream (OpenSSL). */
#ifndef SALLYPORT_WIRE_TLS_H
#define SALLYPORT_WIRE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/err.h"
#include "sallyport/base/loop.h"
#include "sallyport/wire/stream.h"

struct tls_server;
struct tls_conn;

/* Sees to a self-made certificate (ECDSA P-256, 397 days) and its key (mode 0600) in these two files: keeps what is
 * there while it fits the key, names all of `names` and has at least 30 days left, else makes both anew. Named are
 * `names` (n DNS names or IP addresses without brackets; each DNS name also as `*.NAME`), `localhost`, `*.localhost`,
 * 127.0.0.1 and ::1. SP_EINVAL for a name that cannot stand in a certificate, SP_ECRYPTO, SP_ESYS, with the sentence
 * in why. */
int tls_self_signed(const char *cert_path, const char *key_path, const char *const *names, size_t n, struct why *why);

/* A server with the certificate chain and key of these PEM files; TLS 1.2 and later, HTTP/1.1 only. SP_EFORMAT, with
 * the file and the remedy in why, when one cannot be read or they do not belong together; SP_ENOMEM. */
int tls_server_new(const char *cert_path, const char *key_path, struct tls_server **out, struct why *why);
/* Other files (or the same ones, renewed) for connections from now on. On failure everything stays as it was. */
int tls_server_reload(struct tls_server *server, const char *cert_path, const char *key_path, struct why *why);
/* Ends the handshakes that are under way (`failed`); streams live on. NULL is allowed. */
void tls_server_free(struct tls_server *server);

/* SHA-256 of the certificate as browsers show it: 32 pairs of capitals joined by colons. 0 or SP_ECRYPTO. */
#define TLS_FINGERPRINT_SIZE 96
int tls_server_fingerprint(const struct tls_server *server, char to[static TLS_FINGERPRINT_SIZE]);
/* When the server's certificate expires, UTC seconds; 0 when it says nothing that can be understood. */
int64_t tls_server_not_after(const struct tls_server *server);
/* Does the server's certificate name this host (a DNS name or an IP address, without brackets), itself or by a wildcard?
 * RFC 9525 section 6. */
bool tls_server_names(const struct tls_server *server, const char *host);

struct tls_events {
    /* The handshake is done. What the peer sends and takes in clear goes by `stream`, which is the listener's from now
     * on, until it calls stream close; `end` sends close_notify and shuts our half down (RFC 8446 section 6.1). Nothing
     * is reported before the first stream resume. The tls_conn is no more. */
    void (*ready)(void *ctx, struct stream *stream);
    /* There was no handshake, and the socket is closed: the last event. */
    void (*failed)(void *ctx);
};

/* Takes the TCP socket `fd` (non-blocking) and does the handshake until `deadline` (on loop_now's clock, ms). 0: the
 * socket is ours, and `*out` is valid until one of the events, none of which comes from inside this call. SP_ENOMEM,
 * SP_ESYS, SP_ECRYPTO: the socket stays with the caller and no event follows. */
int tls_accept(struct tls_server *server, struct loop *loop, int fd, uint64_t deadline, const struct tls_events *events,
               void *ctx, struct tls_conn **out);
/* Ends a handshake at once; no event follows. NULL is allowed. */
void tls_conn_free(struct tls_conn *conn);

#endif
