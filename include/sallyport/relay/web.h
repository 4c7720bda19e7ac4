/* The relay's web front: logins, sessions, the page of machines and its JSON, and the proxy to what machines serve
 * (docs/PROTOCOL.md section 5). */
#ifndef SALLYPORT_RELAY_WEB_H
#define SALLYPORT_RELAY_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sallyport/relay/overview.h"

struct loop;
struct prices;
struct recorder;
struct watch;
struct relay_counters;
struct stream;
struct tls_server;
struct web;

/* A browser's session ends when it was not used for so long, and after so long in any case; seconds. */
#define WEB_SESSION_IDLE_S (7 * 86400)
#define WEB_SESSION_LIFE_S (30 * 86400)

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
    unsigned max_connections; /* 0: 4096, or fewer when there are few descriptors */
    const char *acme_webroot; /* the folder of http-01 challenges (RFC 8555 section 8.3); NULL: none. Copied. */
    /* Opens a stream to a service of a machine for the browser at `peer`. 0: `opened` follows once, from inside or
     * later, with the stream, which is the web front's from then on, or with NULL when there is none. SP_ENOENT: the
     * machine is not connected; SP_ENOMEM, SP_EBUSY: not now; `opened` does not follow. NULL: nothing is proxied. */
    int (*open)(void *ctx, int64_t machine_id, const struct service *service, const struct sockaddr_storage *peer,
                void (*opened)(void *opened_ctx, struct stream *stream), void *opened_ctx);
    void *open_ctx;
    const char *fingerprint; /* of the relay's host key, "SHA256:...", for invites; must outlive the web front */
    /* What was counted outside the web front, for /metrics; NULL: nothing. */
    void (*count)(void *ctx, struct relay_counters *out);
    void *count_ctx;
    /* Has a machine publish what it has found, or no more: as verbs.publish. NULL: nothing can be published. */
    int (*publish)(void *ctx, const struct machine *machine, const char *service, bool published, struct why *why);
    void *publish_ctx;
    struct watch *watch;          /* over claims and alerts; must outlive the web front */
    struct recorder *recorder;    /* the machines' history; must outlive the web front; NULL: there is none */
    struct prices *const *prices; /* of GPUs in clouds, as they are now; NULL: none */
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

/* Something about machines has changed, whatever it is: live pages are told. Cheap, may be called often. */
void web_machines_changed(struct web *web);
/* A service of that machine was published and is only found now: what runs to it is ended. */
void web_service_withdrawn(struct web *web, int64_t machine_id);
/* Users, grants, keys, tokens or sessions have changed: what runs without a right is ended. */
void web_rights_changed(struct web *web);

#endif
