/* The web front's life. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/os.h"
#include "web_conn.h"

enum {
    MAX_CONNECTIONS = 4096,
    DESCRIPTORS_EACH = 3, /* the browser's, and a pair to our pages */
    AUTHORITY_EXTRA = 9,  /* brackets, a colon, a port, the end */
    HTTPS_PORT = 443,
    TICK_MS = 30000,
    HOP_MS = 30000, /* from the click on a service to its host: one redirect */
};

/* "NAME" or "[ADDRESS]", with the port unless it is the one that URLs leave out. */
static char *authority_new(const char *host, uint16_t port) {
    bool bare = strchr(host, ':') != NULL;
    size_t size = strlen(host) + AUTHORITY_EXTRA;
    char *text = malloc(size);
    if (text && port == HTTPS_PORT)
        snprintf(text, size, bare ? "[%s]" : "%s", host);
    else if (text)
        snprintf(text, size, bare ? "[%s]:%u" : "%s:%u", host, port);
    return text;
}

static int hosts_copy(struct web *web, const struct web_config *config) {
    web->hosts = calloc(config->host_count, sizeof(*web->hosts));
    web->authorities = calloc(config->host_count, sizeof(*web->authorities));
    if (!web->hosts || !web->authorities)
        return SP_ENOMEM;
    web->host_count = config->host_count;
    for (size_t i = 0; i < config->host_count; i++) {
        web->hosts[i] = strdup(config->hosts[i]);
        web->authorities[i] = authority_new(config->hosts[i], config->port);
        if (!web->hosts[i] || !web->authorities[i])
            return SP_ENOMEM;
    }
    return 0;
}

/* Ends what runs on a session that is over or on a right that is gone. */
static void check_conns(struct web *web) {
    struct list *node, *tmp;
    list_foreach (node, tmp, &web->conns) {
        struct web_conn *conn = list_item(node, struct web_conn, link);
        if (conn->access.known && !web_access_is_good(conn))
            web_conn_end(conn);
    }
    web_events_check(web->events);
}

static void web_tick(void *ctx) {
    struct web *web = ctx;
    check_conns(web);
    (void)loop_timer_set(&web->tick, TICK_MS);
}

void web_rights_changed(struct web *web) {
    web->rights++;
    check_conns(web);
}

void web_machines_changed(struct web *web) {
    web_events_touch(web->events);
}

static int web_open(struct web *web, const struct web_config *config) {
    /* Those of connections that were pushed out end a moment later. */
    unsigned most = web->conn_max + web->conn_max / 4 + 1;
    struct pages_config pages = {.loop = config->loop, .max_connections = most, .handle = web_handle, .ctx = web};
    int rc = hosts_copy(web, config);
    if (!rc && config->acme_webroot && !(web->acme_webroot = strdup(config->acme_webroot)))
        rc = SP_ENOMEM;
    if (!rc)
        rc = web_assets_hash(web->etags);
    if (!rc)
        rc = pages_new(&pages, &web->pages);
    if (!rc)
        rc = web_events_new(web, &web->events);
    if (!rc)
        rc = web_hops_new(web->loop, HOP_MS, &web->hops);
    return rc ? rc : loop_timer_set(&web->tick, TICK_MS);
}

/* Half of all descriptors at most: SSH and the machines need the others. */
static unsigned places(void) {
    unsigned most = os_raise_nofile() / (2 * DESCRIPTORS_EACH);
    return most && most < MAX_CONNECTIONS ? most : MAX_CONNECTIONS;
}

int web_new(const struct web_config *config, struct web **out) {
    if (config->host_count == 0)
        return SP_EINVAL;
    struct web *web = calloc(1, sizeof(*web));
    if (!web)
        return SP_ENOMEM;
    web->loop = config->loop;
    web->source = config->source;
    web->now = config->now;
    web->started = config->now();
    web->tls = config->tls;
    web->port = config->port;
    web->hsts = config->hsts;
    web->open = config->open;
    web->open_ctx = config->open_ctx;
    web->fingerprint = config->fingerprint;
    web->publish = config->publish;
    web->publish_ctx = config->publish_ctx;
    web->count = config->count;
    web->count_ctx = config->count_ctx;
    web->recorder = config->recorder;
    web->prices = config->prices;
    web->watch = config->watch;
    web->conn_max = config->max_connections ? config->max_connections : places();
    list_init(&web->fresh);
    list_init(&web->conns);
    loop_timer_init(config->loop, &web->tick, web_tick, web);
    int rc = web_open(web, config);
    if (rc) {
        web_free(web);
        return rc;
    }
    *out = web;
    return 0;
}

static void end_all(struct list *conns) {
    struct list *node, *tmp;
    list_foreach (node, tmp, conns) {
        web_conn_end(list_item(node, struct web_conn, link));
    }
}

void web_free(struct web *web) {
    if (!web)
        return;
    loop_timer_stop(&web->tick);
    end_all(&web->fresh);
    end_all(&web->conns);
    loop_drain(web->loop);
    web_events_free(web->events);
    web_hops_free(web->hops);
    pages_free(web->pages);
    for (size_t i = 0; i < web->host_count; i++) {
        free(web->hosts[i]);
        free(web->authorities[i]);
    }
    free(web->hosts);
    free(web->authorities);
    free(web->acme_webroot);
    free(web);
}
