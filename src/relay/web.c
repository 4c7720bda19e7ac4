/* The web front's life, and the connections that it takes from the listener. */
#include "web_local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_CONNECTIONS 1024
#define AUTHORITY_EXTRA 9 /* brackets, a colon, a port, the end */
#define HTTPS_PORT 443

/* A browser's connection, for as long as its TLS lives. */
struct web_conn {
    struct list link;
    struct web *web;
    struct tls_conn *tls;
    struct sockaddr_storage peer;
    uint64_t deadline;
    void (*closed)(void *ctx);
    void *ctx;
};

static void conn_report(struct web_conn *conn) {
    void (*closed)(void *) = conn->closed;
    void *ctx = conn->ctx;
    list_remove(&conn->link);
    conn->web->conn_count--;
    free(conn);
    if (closed) {
        closed(ctx);
    }
}

static void conn_ready(void *ctx, int plain) {
    struct web_conn *conn = ctx;
    /* When the pages refuse, they close their end, and the TLS side closes after it. */
    (void)pages_accept(conn->web->pages, plain, &conn->peer, true, conn->deadline, NULL, NULL);
}

static void conn_closed(void *ctx) {
    conn_report(ctx);
}

static int accept_tls(struct web *web, int fd, const struct sockaddr_storage *peer, uint64_t deadline,
                      void (*closed)(void *ctx), void *ctx) {
    static const struct tls_events events = {conn_ready, conn_closed};
    if (web->conn_count >= web->conn_max) {
        return SP_EBUSY;
    }
    struct web_conn *conn = calloc(1, sizeof(*conn));
    if (!conn) {
        return SP_ENOMEM;
    }
    int rc = tls_accept(web->tls, web->loop, fd, deadline, &events, conn, &conn->tls);
    if (rc) {
        free(conn);
        return rc;
    }
    conn->web = web;
    conn->peer = *peer;
    conn->deadline = deadline;
    conn->closed = closed;
    conn->ctx = ctx;
    list_append(&web->conns, &conn->link);
    web->conn_count++;
    return 0;
}

int web_accept(struct web *web, int fd, const struct sockaddr_storage *peer, bool tls, uint64_t deadline,
               void (*closed)(void *ctx), void *ctx) {
    if (!tls) {
        return pages_accept(web->pages, fd, peer, false, deadline, closed, ctx);
    }
    int rc = accept_tls(web, fd, peer, deadline, closed, ctx);
    if (rc) {
        close(fd);
    }
    return rc;
}

/* "NAME" or "[ADDRESS]", with the port unless it is the one that URLs leave out. */
static char *authority_new(const char *host, uint16_t port) {
    bool bare = strchr(host, ':') != NULL;
    size_t size = strlen(host) + AUTHORITY_EXTRA;
    char *text = malloc(size);
    if (text && port == HTTPS_PORT) {
        snprintf(text, size, bare ? "[%s]" : "%s", host);
    } else if (text) {
        snprintf(text, size, bare ? "[%s]:%u" : "%s:%u", host, port);
    }
    return text;
}

static int hosts_copy(struct web *web, const struct web_config *config) {
    web->hosts = calloc(config->host_count, sizeof(*web->hosts));
    web->authorities = calloc(config->host_count, sizeof(*web->authorities));
    if (!web->hosts || !web->authorities) {
        return SP_ENOMEM;
    }
    web->host_count = config->host_count;
    for (size_t i = 0; i < config->host_count; i++) {
        web->hosts[i] = strdup(config->hosts[i]);
        web->authorities[i] = authority_new(config->hosts[i], config->port);
        if (!web->hosts[i] || !web->authorities[i]) {
            return SP_ENOMEM;
        }
    }
    return 0;
}

int web_new(const struct web_config *config, struct web **out) {
    if (config->host_count == 0) {
        return SP_EINVAL;
    }
    struct web *web = calloc(1, sizeof(*web));
    if (!web) {
        return SP_ENOMEM;
    }
    web->loop = config->loop;
    web->source = config->source;
    web->now = config->now;
    web->tls = config->tls;
    web->port = config->port;
    web->hsts = config->hsts;
    web->conn_max = config->max_connections ? config->max_connections : MAX_CONNECTIONS;
    list_init(&web->conns);
    struct pages_config pages = {
        .loop = config->loop, .max_connections = web->conn_max, .handle = web_handle, .ctx = web};
    int rc = hosts_copy(web, config);
    if (!rc) {
        rc = web_assets_hash(web->etags);
    }
    if (!rc) {
        rc = pages_new(&pages, &web->pages);
    }
    if (rc) {
        web_free(web);
        return rc;
    }
    *out = web;
    return 0;
}

void web_free(struct web *web) {
    if (!web) {
        return;
    }
    pages_free(web->pages);
    while (!list_is_empty(&web->conns)) {
        struct web_conn *conn = list_item(web->conns.next, struct web_conn, link);
        tls_conn_free(conn->tls);
        conn_report(conn);
    }
    for (size_t i = 0; i < web->host_count; i++) {
        free(web->hosts[i]);
        free(web->authorities[i]);
    }
    free(web->hosts);
    free(web->authorities);
    free(web);
}
