/* The web front's way to a service: a stream through the tunnel of its machine. */
#include <stdlib.h>

#include "relay_local.h"
#include "sallyport/base/os.h"

struct upstream {
    void (*opened)(void *ctx, struct stream *stream);
    void *ctx;
};

static void upstream_opened(void *ctx, struct ssh_chan *chan, int rc) {
    struct upstream *upstream = ctx;
    upstream->opened(upstream->ctx, rc ? NULL : ssh_chan_stream(chan));
    free(upstream);
}

int upstream_open(void *ctx, int64_t machine_id, const struct service *service, const struct sockaddr_storage *peer,
                  void (*opened)(void *opened_ctx, struct stream *stream), void *opened_ctx) {
    const struct machine_live *live = machine_find(ctx, machine_id);
    char origin[INET6_ADDRSTRLEN];
    struct ssh_chan *unused;
    if (!live)
        return SP_ENOENT;
    struct upstream *upstream = malloc(sizeof *upstream);
    if (!upstream)
        return SP_ENOMEM;
    *upstream = (struct upstream){.opened = opened, .ctx = opened_ctx};
    os_address_text(peer, origin);
    int rc = ssh_conn_open_forwarded(live->peer->conn, service->name, service->port, origin, 0, upstream_opened,
                                     upstream, &unused);
    if (rc < 0)
        free(upstream);
    return rc;
}
