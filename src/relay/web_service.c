/* Requests for a service of a machine: checked, written anew, and sent through the tunnel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/log.h"
#include "sallyport/base/str.h"
#include "sallyport/store/machines.h"
#include "web_conn.h"

#define TEXT_SIZE 512

enum {
    STREAMS_EACH = 256,   /* of browsers, to one machine: half of what its SSH connection takes */
    STREAMS_OF_ONE = 224, /* of one user's browsers, of those: the rest is for the others */
};

struct web_opening {
    struct web_conn *conn; /* NULL when it is gone */
};

static void audit_refused(struct web_conn *conn, const char *detail) {
    char object[SP_NAME_SIZE * 2 + 2];
    snprintf(object, sizeof(object), "%s/%s", conn->host.machine, conn->host.service);
    web_audit_once(conn->web, conn->access.user, "web reach", object, "refused", detail);
}

/* Nobody is logged in here: people are led over the relay's page, which knows them perhaps, and back. */
static void refuse_stranger(struct web_conn *conn, const struct http_head *head) {
    char relay[WEB_ORIGIN_SIZE], url[WEB_URL_SIZE];
    web_relay_origin(conn, relay);
    if (!conn->wants_page) {
        web_refuse(conn, 401, "Not logged in", "not logged in, or the session is over: open the relay's page", NULL,
                   NULL);
        return;
    }
    if (web_hop_url(relay, conn->host.machine, conn->host.service, head->target, url))
        snprintf(url, sizeof(url), "%s/", relay);
    web_redirect(conn, 303, url, NULL);
}

static void refuse_denied(struct web_conn *conn) {
    char text[TEXT_SIZE];
    snprintf(text, sizeof(text), "There is no service %s on a machine %s that you may reach. An admin can grant it.",
             conn->host.service, conn->host.machine);
    audit_refused(conn, conn->peer_text);
    web_refuse(conn, 404, "Nothing here for you", text, NULL, NULL);
}

static void refuse_offline(struct web_conn *conn) {
    char text[TEXT_SIZE + sizeof(struct why)];
    struct machine machine;
    struct why why;
    if (store_machine_get(conn->web->source.store, conn->access.machine_id, &machine))
        why_set(&why, "%s is offline", conn->host.machine);
    else
        machine_say_offline(&machine, conn->web->now(), &why);
    snprintf(text, sizeof(text), "%s. It comes back by itself when it is switched on and has a network.", why.text);
    web_refuse(conn, 503, "This machine is offline", text, conn->host.origin, "Try again");
}

void web_service_withdrawn(struct web *web, int64_t machine_id) {
    struct machine_view view = {.machine_id = machine_id};
    struct list *node, *tmp;
    if (web->source.view(web->source.ctx, machine_id, &view))
        return;
    list_foreach (node, tmp, &web->conns) {
        struct web_conn *conn = list_item(node, struct web_conn, link);
        const struct service *service = service_find(view.services, view.service_count, conn->access.service_name);
        if (conn->target == WEB_TARGET_SERVICE && conn->upstream_machine == machine_id && service && service->found)
            web_conn_end(conn);
    }
}

static void refuse_found(struct web_conn *conn) {
    char text[TEXT_SIZE];
    snprintf(text, sizeof(text),
             "%s has found %s, but it is not published. An admin can publish it: on the relay's page, or with "
             "ssh -p %u NAME@%s publish %s %s",
             conn->host.machine, conn->host.service, conn->web->port, conn->web->hosts[0], conn->host.machine,
             conn->host.service);
    web_refuse(conn, 403, "This service is not published", text, conn->host.origin, "Try again");
}

/* The service as the machine offers it now; NULL when it was answered that there is none to be had. */
static const struct service *find_service(struct web_conn *conn) {
    struct machine_view view = {.machine_id = conn->access.machine_id, .name = conn->host.machine};
    char text[TEXT_SIZE];
    int rc = conn->web->source.view(conn->web->source.ctx, view.machine_id, &view);
    if (rc || !view.online) {
        refuse_offline(conn);
        return NULL;
    }
    const struct service *service = service_find(view.services, view.service_count, conn->host.service);
    if (service && service->found) {
        refuse_found(conn);
        return NULL;
    }
    if (!service || !service->up) {
        snprintf(text, sizeof(text), "%s is online, but its service %s is not running at the moment.",
                 conn->host.machine, conn->host.service);
        web_refuse(conn, 503, "This service is not running", text, conn->host.origin, "Try again");
        return NULL;
    }
    if (service->kind != SERVICE_HTTP) {
        snprintf(text, sizeof(text), "%s on %s does not speak HTTP. Reach it with: ssh -L %u:%s:%u -N -p %u NAME@%s",
                 conn->host.service, conn->host.machine, service->port, conn->host.machine, service->port,
                 conn->web->port, conn->web->hosts[0]);
        web_refuse(conn, 404, "Not for a browser", text, NULL, NULL);
        return NULL;
    }
    return service;
}

static void forward(struct web_conn *conn, const struct http_head *head, const struct service *service) {
    struct web_rewrite rewrite = {.origin = conn->host.origin, .port = service->port, .token = service->token};
    struct buf out;
    bool fresh = conn->target != WEB_TARGET_SERVICE || conn->port != service->port ||
                 conn->upstream_machine != conn->access.machine_id;
    buf_init(&out);
    if (web_rewrite_request(&rewrite, head, &out)) {
        buf_wipe(&out);
        http_conn_close(conn->http);
        return;
    }
    conn->target = WEB_TARGET_SERVICE;
    conn->port = service->port;
    conn->upstream_machine = conn->access.machine_id;
    http_conn_forward(conn->http, &out, fresh);
}

static void send_asset(struct web_conn *conn, const struct http_head *head) {
    struct web_asset asset;
    char name[64];
    struct http_text target = head->target;
    size_t prefix = strlen(WEB_OWN_PATH "assets/");
    struct buf out;
    snprintf(name, sizeof(name), "%.*s", (int)(target.len - prefix), target.at + prefix);
    if (!web_asset_find(conn->web, name, &asset)) {
        web_refuse(conn, 404, "Nothing here", "There is no page with this address.", NULL, NULL);
        return;
    }
    buf_init(&out);
    if (web_reply_head(conn->web, 200, asset.type, &out)) {
        buf_fini(&out);
        http_conn_close(conn->http);
        return;
    }
    http_conn_reply(conn->http, &out, asset.bytes, asset.len, false);
}

static void request_own(struct web_conn *conn, const struct http_head *head) {
    bool look = http_text_equal(head->method, "GET") || http_text_equal(head->method, "HEAD");
    if (look && http_text_starts(head->target, WEB_OWN_PATH "assets/"))
        send_asset(conn, head);
    else if (http_text_equal(head->method, "GET") && http_text_starts(head->target, WEB_OWN_PATH "enter/"))
        web_hop_enter(conn, head);
    else
        web_refuse(conn, 404, "Nothing here", "There is no page with this address.", NULL, NULL);
}

void web_service_request(struct web_conn *conn, const struct http_head *head) {
    if (http_text_starts(head->target, WEB_OWN_PATH)) {
        request_own(conn, head);
        return;
    }
    if (http_text_equal(head->method, "TRACE")) {
        /* Its answer would show the token that goes to the machine. */
        web_refuse(conn, 405, "Refused", "TRACE is not passed on.", NULL, NULL);
        return;
    }
    const char *foreign = web_access_foreign(head, conn->host.origin);
    if (foreign) {
        web_refuse(conn, 403, "Refused", foreign, NULL, NULL);
        return;
    }
    int rc = web_access_find(conn, head);
    if (rc == SP_ENOENT) {
        refuse_stranger(conn, head);
    } else if (rc == SP_EDENIED) {
        refuse_denied(conn);
    } else if (rc) {
        log_error("web: a session could not be looked up: %s", err_text(rc));
        web_refuse(conn, 500, "Something is wrong here", "The relay's log says what.", NULL, NULL);
    } else {
        const struct service *service = find_service(conn);
        bool elsewhere = service && service->path[0] && strcmp(service->path, "/") != 0;
        if (elsewhere && conn->wants_page && http_text_equal(head->target, "/") && web_hop_is_path(service->path))
            web_redirect(conn, 302, service->path, NULL);
        else if (service)
            forward(conn, head, service);
    }
}

static void opened(void *ctx, struct stream *stream) {
    struct web_opening *opening = ctx;
    struct web_conn *conn = opening->conn;
    free(opening);
    if (!conn) {
        if (stream)
            stream->ops->close(stream);
        return;
    }
    conn->opening = NULL;
    if (stream)
        http_conn_connected(conn->http, stream);
    else
        web_service_failed(conn, HTTP_FAILED_CLOSED, NULL);
}

static void refuse_crowded(struct web_conn *conn) {
    char text[TEXT_SIZE];
    snprintf(text, sizeof(text),
             "Too many connections to %s are open at the moment. Close some pages, or wait a minute.",
             conn->host.machine);
    web_refuse(conn, 503, "Too many connections", text, conn->host.origin, "Try again");
}

/* The browsers' share of what a machine's connection can carry, and one user's of that: the rest is for SSH, and for
 * the others. Beyond it the one that has rested longest goes, of that user when it is his share; SP_EBUSY when none
 * rests. */
static int keep_share(struct web_conn *conn) {
    struct list *node, *tmp;
    struct web_conn *resting = NULL, *own_resting = NULL;
    unsigned count = 0, own = 0;
    list_foreach (node, tmp, &conn->web->conns) {
        struct web_conn *other = list_item(node, struct web_conn, link);
        if (other == conn || other->ending || other->target != WEB_TARGET_SERVICE ||
            other->upstream_machine != conn->upstream_machine ||
            (!other->opening && !http_conn_has_upstream(other->http)))
            continue;
        bool is_own = other->access.user_id == conn->access.user_id, rests = http_conn_is_idle(other->http);
        count++;
        own += is_own;
        resting = !resting && rests ? other : resting;
        own_resting = !own_resting && rests && is_own ? other : own_resting;
    }
    if (count < STREAMS_EACH && own < STREAMS_OF_ONE)
        return 0;
    if (own >= STREAMS_OF_ONE)
        resting = own_resting;
    if (!resting)
        return SP_EBUSY;
    resting->ending = true;
    web_conn_end(resting);
    return 0;
}

void web_service_connect(struct web_conn *conn) {
    struct service service = {.kind = SERVICE_HTTP, .port = conn->port, .up = true};
    struct web_opening *opening = calloc(1, sizeof(*opening));
    int rc = opening ? str_copy(service.name, sizeof(service.name), conn->host.service) : SP_ENOMEM;
    if (!rc && !conn->web->open)
        rc = SP_ENOENT;
    if (!rc)
        rc = keep_share(conn);
    if (!rc) {
        opening->conn = conn;
        conn->opening = opening;
        rc = conn->web->open(conn->web->open_ctx, conn->upstream_machine, &service, &conn->peer, opened, opening);
    }
    if (rc) {
        free(opening);
        conn->opening = NULL;
        log_debug("web: no stream to %s on %s: %s", service.name, conn->host.machine, err_text(rc));
        if (rc == SP_EBUSY || rc == SP_ETOOBIG)
            refuse_crowded(conn);
        else
            web_service_failed(conn, HTTP_FAILED_CLOSED, NULL);
    }
}

void web_service_failed(struct web_conn *conn, enum http_failure failure, const struct why *why) {
    char text[TEXT_SIZE + sizeof(why->text)];
    if (failure == HTTP_FAILED_BAD)
        snprintf(text, sizeof(text), "What %s on %s answers is not proper HTTP: %s.", conn->host.service,
                 conn->host.machine, why->text);
    else
        snprintf(text, sizeof(text), "%s on %s does not answer. It may have just stopped, or be starting.",
                 conn->host.service, conn->host.machine);
    web_refuse(conn, 502, "No answer", text, conn->host.origin, "Try again");
}

void web_service_forget(struct web_conn *conn) {
    if (conn->opening)
        conn->opening->conn = NULL;
    conn->opening = NULL;
}
