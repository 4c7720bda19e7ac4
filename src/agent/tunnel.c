#include "tunnel.h"

#include <stdlib.h>
#include <string.h>

#include "sallyport/base/log.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/bridge.h"
#include "sallyport/wire/socket_stream.h"
#include "service_dial.h"

/* One tcpip-forward that was asked for. */
struct forward {
    char name[SP_NAME_SIZE];
    uint16_t port;  /* as asked: the service's own, or the one wanted on a plain server */
    uint16_t bound; /* as granted; 0: no answer yet */
    bool refused;
};

enum { RETRY_MS = 10000 };

struct tunnel {
    struct loop *loop;
    struct loop_timer retry; /* of what was refused: a port may be held by a session of ours that is dying */
    struct ssh_conn *conn;
    const struct services *services;
    bool plain;
    struct forward forwards[SERVICES_MAX];
    size_t count;
    size_t *streams;
};

static uint16_t wanted_port(const struct tunnel *tunnel, const struct published *published) {
    return tunnel->plain ? published->remote_port : published->service.port;
}

/* A plain server knows addresses where a relay knows names. */
static const char *bind_of(const struct tunnel *tunnel, const char *name) {
    return tunnel->plain ? "localhost" : name;
}

static const struct published *published_find(const struct tunnel *tunnel, const char *name) {
    const struct published *list;
    size_t count;
    services_list(tunnel->services, &list, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].service.name, name) == 0 && !list[i].withheld)
            return &list[i];
    return NULL;
}

static void forward_remove(struct tunnel *tunnel, size_t i) {
    struct forward *forward = &tunnel->forwards[i];
    if (!forward->refused)
        (void)ssh_client_unlisten(tunnel->conn, bind_of(tunnel, forward->name),
                                  forward->bound ? forward->bound : forward->port);
    tunnel->count--;
    memmove(forward, forward + 1, (tunnel->count - i) * sizeof *forward);
}

static void forward_add(struct tunnel *tunnel, const struct published *published) {
    struct forward *forward = &tunnel->forwards[tunnel->count];
    memset(forward, 0, sizeof *forward);
    (void)str_copy(forward->name, sizeof forward->name, published->service.name);
    forward->port = wanted_port(tunnel, published);
    if (ssh_client_listen(tunnel->conn, bind_of(tunnel, forward->name), forward->port) == 0)
        tunnel->count++;
}

void tunnel_update(struct tunnel *tunnel) {
    for (size_t i = tunnel->count; i-- > 0;) {
        const struct published *published = published_find(tunnel, tunnel->forwards[i].name);
        if (!published || wanted_port(tunnel, published) != tunnel->forwards[i].port)
            forward_remove(tunnel, i);
    }
    const struct published *list;
    size_t count;
    services_list(tunnel->services, &list, &count);
    for (size_t i = 0; i < count && tunnel->count < SERVICES_MAX; i++) {
        size_t at = 0;
        while (at < tunnel->count && strcmp(tunnel->forwards[at].name, list[i].service.name) != 0)
            at++;
        if (at == tunnel->count && !list[i].withheld)
            forward_add(tunnel, &list[i]);
    }
}

void tunnel_listening(struct tunnel *tunnel, const char *bind, uint16_t port, uint16_t bound, int rc) {
    for (size_t i = 0; i < tunnel->count; i++) {
        struct forward *forward = &tunnel->forwards[i];
        bool same = forward->port == port && strcmp(bind_of(tunnel, forward->name), bind) == 0;
        if (!same || forward->bound || forward->refused)
            continue;
        forward->refused = rc < 0;
        forward->bound = bound;
        if (rc < 0) {
            (void)loop_timer_set(&tunnel->retry, RETRY_MS);
            log_warn("the server refuses to forward port %u for %s: is it taken, or are forwards not allowed there?",
                     port, forward->name);
        } else if (tunnel->plain)
            log_info("%s can be reached on the server at localhost:%u", forward->name, bound);
        else
            log_info("%s is published", forward->name);
        return;
    }
}

static void stream_over(void *ctx) {
    size_t *streams = ctx;
    (*streams)--;
}

/* Only what is published can be asked for, by name (a relay) or by the port bound for it (a plain server): the other
 * side chooses no address here. */
static const struct published *forward_target(const struct tunnel *tunnel, const char *bind, uint16_t port) {
    for (size_t i = 0; i < tunnel->count; i++) {
        const struct forward *forward = &tunnel->forwards[i];
        bool meant = tunnel->plain ? forward->bound == port && port != 0
                                   : strcmp(forward->name, bind) == 0 && forward->port == port;
        if (meant)
            return published_find(tunnel, forward->name);
    }
    return NULL;
}

int tunnel_forwarded(struct tunnel *tunnel, struct ssh_chan *chan, const char *bind, uint16_t port) {
    const struct published *published = forward_target(tunnel, bind, port);
    if (!published)
        return SP_ENOENT;
    int fd = -1;
    int rc = service_dial(published->host, published->service.port, &fd);
    if (rc < 0)
        return rc;
    struct stream *local;
    struct bridge *bridge;
    rc = socket_stream_new(tunnel->loop, fd, &local);
    if (rc < 0)
        return rc;
    rc = bridge_new(tunnel->loop, ssh_chan_stream(chan), local, stream_over, tunnel->streams, &bridge);
    if (rc < 0) {
        local->ops->close(local);
        return rc;
    }
    (*tunnel->streams)++;
    return 0;
}

static void tunnel_retry(void *ctx) {
    struct tunnel *tunnel = ctx;
    for (size_t i = tunnel->count; i-- > 0;)
        if (tunnel->forwards[i].refused)
            forward_remove(tunnel, i);
    tunnel_update(tunnel);
}

int tunnel_new(struct loop *loop, struct ssh_conn *conn, const struct services *services, bool plain, size_t *streams,
               struct tunnel **out) {
    struct tunnel *tunnel = calloc(1, sizeof *tunnel);
    if (!tunnel)
        return SP_ENOMEM;
    tunnel->loop = loop;
    tunnel->conn = conn;
    tunnel->services = services;
    tunnel->plain = plain;
    tunnel->streams = streams;
    loop_timer_init(loop, &tunnel->retry, tunnel_retry, tunnel);
    *out = tunnel;
    return 0;
}

void tunnel_free(struct tunnel *tunnel) {
    if (!tunnel)
        return;
    loop_timer_stop(&tunnel->retry);
    free(tunnel);
}
