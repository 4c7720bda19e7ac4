/* The relay's web front: logins, sessions, the page of machines and its JSON (docs/PROTOCOL.md section 5). */
#ifndef SALLYPORT_RELAY_WEB_H
#define SALLYPORT_RELAY_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sallyport/relay/overview.h"

struct loop;
struct tls_server;
struct web;

struct web_config {
    struct loop *loop;
    struct overview_source source; /* its store keeps logins, sessions and the audit */
    int64_t (*now)(void);          /* UTC seconds; os_realtime_s but for tests */
    struct tls_server *tls;        /* stays the caller's; must outlive the web front */
    const char *const *hosts; /* names and addresses (IPv6 without brackets) that browsers may ask for; the first is
                                 the one that is shown to people. Copied. */
    size_t host_count;        /* at least 1 */
    uint16_t port;            /* the public one */
    bool hsts;                /* the certificate is one that browsers trust */
    unsigned max_connections; /* 0: 1024 */
};

/* 0, SP_ENOMEM, SP_ESYS, SP_EINVAL (no host). web_free closes every connection; NULL is allowed. */
int web_new(const struct web_config *config, struct web **out);
void web_free(struct web *web);

/* Serves the non-blocking TCP socket `fd` (nothing of it was consumed), which belongs to the web front from now on,
 * whatever is returned. `tls`: it begins with a TLS handshake; else plain HTTP, answered with a redirect to https. The
 * first request must be there, whole, by `deadline` (on loop_now's clock, ms). `closed` (may be NULL) is called once,
 * when the connection is over, never from inside. SP_EBUSY, SP_ENOMEM, SP_ESYS, SP_ECRYPTO: the socket was closed, and
 * `closed` does not follow. */
int web_accept(struct web *web, int fd, const struct sockaddr_storage *peer, bool tls, uint64_t deadline,
               void (*closed)(void *ctx), void *ctx);

#endif
