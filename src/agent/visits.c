#include "visits.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answer.h"
#include "sallyport/base/list.h"
#include "sallyport/base/log.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/name.h"
#include "sallyport/wire/keepalive.h"
#include "sallyport/wire/splice.h"
#include "service_dial.h"

enum { VISITS_MAX = 512, CONNECT_MS = 10000 };

struct visits {
    struct visits_config config;
    struct list list;
    size_t count;
};

struct visit {
    struct list link;
    struct visits *visits;
    int peer;               /* until it is spliced */
    struct loop_fd service; /* while it connects */
    struct loop_timer late;
    struct splice *splice;
    bool greet;
    char user[SP_NAME_SIZE], name[SP_NAME_SIZE];
    char from[INET6_ADDRSTRLEN];
};

int visits_new(const struct visits_config *config, struct visits **out) {
    struct visits *visits = calloc(1, sizeof *visits);
    if (!visits)
        return SP_ENOMEM;
    visits->config = *config;
    list_init(&visits->list);
    *out = visits;
    return 0;
}

static void visit_free(struct visit *visit) {
    int fd = visit->service.fd;
    loop_timer_stop(&visit->late);
    loop_fd_remove(&visit->service);
    if (fd >= 0)
        (void)close(fd);
    if (visit->peer >= 0)
        (void)close(visit->peer);
    list_remove(&visit->link);
    visit->visits->count--;
    free(visit);
}

static void visit_over(void *ctx) {
    struct visit *visit = ctx;
    log_debug("%s has left %s (from %s)", visit->user, visit->name, visit->from);
    visit_free(visit);
}

/* The service cannot be had. */
static void visit_fail(struct visit *visit, const char *reason) {
    log_warn("%s wanted %s (from %s): %s", visit->user, visit->name, visit->from, reason);
    if (visit->greet) {
        answer_no(visit->visits->config.loop, visit->peer, reason);
        visit->peer = -1;
    }
    visit_free(visit);
}

static void visit_late(void *ctx) {
    visit_fail(ctx, "the service does not answer");
}

static void visit_join(struct visit *visit, int service) {
    int rc = visit->greet ? answer_ok(visit->peer, NULL) : 0;
    if (rc == 0)
        rc = splice_new(visit->visits->config.loop, visit->peer, service, visit_over, visit, &visit->splice);
    if (rc < 0) {
        log_warn("%s wanted %s (from %s): %s", visit->user, visit->name, visit->from, err_text(rc));
        (void)close(service);
        visit_free(visit);
        return;
    }
    visit->peer = -1;
    log_info("%s comes to %s from %s", visit->user, visit->name, visit->from);
}

static void visit_connected(void *ctx, uint32_t events) {
    (void)events;
    struct visit *visit = ctx;
    int fd = visit->service.fd, error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (error) {
        visit_fail(visit, "the service does not answer");
        return;
    }
    loop_fd_remove(&visit->service);
    loop_timer_stop(&visit->late);
    visit_join(visit, fd);
}

static int visit_start(struct visit *visit) {
    struct visits *visits = visit->visits;
    struct visit_place place;
    int fd = -1;
    if (!visits->config.find(visits->config.ctx, visit->name, &place))
        return SP_ENOENT;
    int rc = service_dial(place.host, place.port, &fd);
    if (rc < 0)
        return rc;
    rc = loop_fd_add(visits->config.loop, &visit->service, fd, EPOLLOUT, visit_connected, visit);
    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    return loop_timer_set(&visit->late, CONNECT_MS);
}

void visits_open(struct visits *visits, const struct visitor *visitor, int fd) {
    struct visit *visit = visits->count < VISITS_MAX ? calloc(1, sizeof *visit) : NULL;
    if (!visit) {
        log_warn("too many visits at once: %s is sent away", visitor->user);
        (void)close(fd);
        return;
    }
    visit->visits = visits;
    visit->peer = fd;
    visit->greet = visitor->greet;
    (void)str_copy(visit->user, sizeof visit->user, visitor->user);
    (void)str_copy(visit->name, sizeof visit->name, visitor->service);
    (void)str_copy(visit->from, sizeof visit->from, visitor->from);
    loop_fd_init(&visit->service);
    loop_timer_init(visits->config.loop, &visit->late, visit_late, visit);
    list_append(&visits->list, &visit->link);
    visits->count++;
    keepalive_set(fd, VISITS_IDLE_S);
    int rc = visit_start(visit);
    if (rc == SP_ENOENT)
        visit_fail(visit, "no such service of kind ssh is published");
    else if (rc < 0)
        visit_fail(visit, "the service does not answer");
}

static void visit_end(struct visit *visit) {
    if (visit->splice)
        splice_close(visit->splice); /* visit_over follows */
    else
        visit_free(visit);
}

void visits_end(struct visits *visits, const char *user, const char *service) {
    struct list *node, *tmp;
    list_foreach (node, tmp, &visits->list) {
        struct visit *visit = list_item(node, struct visit, link);
        if (strcmp(visit->user, user) != 0 || (service[0] && strcmp(visit->name, service) != 0))
            continue;
        log_info("%s has no right to %s any more: the stream from %s ends", visit->user, visit->name, visit->from);
        visit_end(visit);
    }
}

size_t visits_count(const struct visits *visits) {
    return visits->count;
}

void visits_free(struct visits *visits) {
    if (!visits)
        return;
    struct list *node, *tmp;
    list_foreach (node, tmp, &visits->list)
        visit_end(list_item(node, struct visit, link));
    loop_drain(visits->config.loop);
    free(visits);
}
