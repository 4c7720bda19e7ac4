#include "punch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "question.h"
#include "sallyport/base/list.h"
#include "sallyport/base/log.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/candidate.h"

enum { PUNCHES_MAX = 16, TRY_MS = 2000, AGAIN_MS = 100 };

struct punches {
    struct loop *loop;
    void (*met)(void *ctx, int fd, const char *from);
    void *ctx;
    struct list list;
    size_t count;
};

struct punch {
    struct list link;
    struct punches *punches;
    struct question *question;
    struct loop_fd watch;
    struct loop_timer again, over;
    struct sockaddr_storage relay, from, to;
    char text[INET6_ADDRSTRLEN]; /* of `to` */
};

static void punch_free(struct punch *punch) {
    int fd = punch->watch.fd;
    question_cancel(punch->question);
    loop_fd_remove(&punch->watch);
    if (fd >= 0)
        (void)close(fd);
    loop_timer_stop(&punch->again);
    loop_timer_stop(&punch->over);
    list_remove(&punch->link);
    punch->punches->count--;
    free(punch);
}

static void punch_over(void *ctx) {
    struct punch *punch = ctx;
    log_debug("no connection could be punched to %s", punch->text);
    punch_free(punch);
}

/* That attempt came to nothing. */
static void punch_later(struct punch *punch) {
    int fd = punch->watch.fd;
    loop_fd_remove(&punch->watch);
    if (fd >= 0)
        (void)close(fd);
    if (loop_timer_set(&punch->again, AGAIN_MS) < 0)
        punch_free(punch);
}

static void punch_connected(void *ctx, uint32_t events) {
    (void)events;
    struct punch *punch = ctx;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(punch->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error) {
        punch_later(punch);
        return;
    }
    struct punches *punches = punch->punches;
    char text[INET6_ADDRSTRLEN];
    int fd = punch->watch.fd;
    loop_fd_remove(&punch->watch);
    (void)str_copy(text, sizeof text, punch->text);
    punch_free(punch);
    log_debug("a connection to %s was punched", text);
    punches->met(punches->ctx, fd, text);
}

static void punch_try(void *ctx) {
    struct punch *punch = ctx;
    int fd = question_socket(punch->from.ss_family, true, &punch->from);
    if (fd >= 0 && ((connect(fd, (const struct sockaddr *)&punch->to, question_address_size(&punch->to)) < 0 &&
                     errno != EINPROGRESS) ||
                    loop_fd_add(punch->punches->loop, &punch->watch, fd, EPOLLOUT, punch_connected, punch) < 0)) {
        (void)close(fd);
        fd = -1;
    }
    if (fd < 0)
        punch_later(punch);
}

/* "ADDRESS PORT", in figures, of the family that this side came with. */
static int punch_read(struct punch *punch, const char *answer) {
    const char *blank = strchr(answer, ' ');
    uint64_t port;
    if (!blank || (size_t)(blank - answer) >= sizeof punch->text || str_u64(blank + 1, 1, UINT16_MAX, &port) < 0)
        return SP_EFORMAT;
    memcpy(punch->text, answer, (size_t)(blank - answer));
    punch->text[blank - answer] = '\0';
    punch->to.ss_family = punch->from.ss_family;
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&punch->to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&punch->to;
    if (punch->to.ss_family == AF_INET) {
        v4->sin_port = htons((uint16_t)port);
        return inet_pton(AF_INET, punch->text, &v4->sin_addr) == 1 ? 0 : SP_EFORMAT;
    }
    v6->sin6_port = htons((uint16_t)port);
    return inet_pton(AF_INET6, punch->text, &v6->sin6_addr) == 1 ? 0 : SP_EFORMAT;
}

/* The relay has no business in sending us to the machines around here: only out, or where it is itself. */
static bool may_connect(const struct punch *punch) {
    char relay[INET6_ADDRSTRLEN];
    enum address_scope scope = address_scope(punch->text);
    os_address_text(&punch->relay, relay);
    return scope == ADDRESS_PUBLIC || (scope != ADDRESS_NONE && scope == address_scope(relay));
}

static void punch_answered(void *ctx, int rc, int fd, const char *text) {
    struct punch *punch = ctx;
    punch->question = NULL;
    if (rc < 0) {
        log_debug("nobody to meet at the relay's door: %s", text[0] ? text : err_text(rc));
        punch_free(punch);
        return;
    }
    socklen_t size = sizeof punch->from;
    rc = getsockname(fd, (struct sockaddr *)&punch->from, &size) < 0 ? SP_ESYS : punch_read(punch, text);
    (void)close(fd);
    if (rc == 0 && !may_connect(punch)) {
        log_warn("the relay sends this machine to meet somebody at %s: it does not go there", punch->text);
        rc = SP_EDENIED;
    }
    if (rc < 0 || loop_timer_set(&punch->over, TRY_MS) < 0)
        punch_free(punch);
    else
        punch_try(punch);
}

int punch_start(struct punches *punches, const struct link_call *call, const struct sockaddr_storage *relay) {
    if (punches->count == PUNCHES_MAX)
        return SP_EBUSY;
    struct punch *punch = calloc(1, sizeof *punch);
    if (!punch)
        return SP_ENOMEM;
    punch->punches = punches;
    punch->relay = *relay;
    loop_fd_init(&punch->watch);
    loop_timer_init(punches->loop, &punch->again, punch_try, punch);
    loop_timer_init(punches->loop, &punch->over, punch_over, punch);
    list_append(&punches->list, &punch->link);
    punches->count++;
    struct question_config config = {.loop = punches->loop,
                                     .to = *relay,
                                     .shared = true,
                                     .mode = DOOR_PUNCH,
                                     .ticket = call->ticket,
                                     .done = punch_answered,
                                     .ctx = punch};
    int rc = question_new(&config, &punch->question);
    if (rc < 0)
        punch_free(punch);
    return rc;
}

int punches_new(struct loop *loop, void (*met)(void *ctx, int fd, const char *from), void *ctx, struct punches **out) {
    struct punches *punches = calloc(1, sizeof *punches);
    if (!punches)
        return SP_ENOMEM;
    punches->loop = loop;
    punches->met = met;
    punches->ctx = ctx;
    list_init(&punches->list);
    *out = punches;
    return 0;
}

size_t punches_count(const struct punches *punches) {
    return punches->count;
}

void punches_free(struct punches *punches) {
    if (!punches)
        return;
    struct list *node, *tmp;
    list_foreach (node, tmp, &punches->list)
        punch_free(list_item(node, struct punch, link));
    free(punches);
}
