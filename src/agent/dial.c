#include "dial.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

enum { TRIES_MAX = 8, NEXT_MS = 250, GIVE_UP_MS = 10000 };

struct try {
    struct dial *dial;
    struct loop_fd watch;
};

/* The lookup belongs to the thread until it is done; the dial may be gone by then. */
struct lookup {
    struct dial *dial; /* NULL: cancelled. Touched on the loop only. */
    char host[256], port[8];
    int error;
    struct addrinfo *found;
};

struct dial {
    struct loop *loop;
    struct lookup *lookup; /* while it runs */
    struct addrinfo *found, *next;
    struct try tries[TRIES_MAX];
    size_t started, failed;
    struct loop_timer next_timer, deadline;
    char reason[384];
    void (*done)(void *ctx, int rc, int fd, const char *address, const char *reason);
    void *ctx;
};

static void dial_free(struct dial *dial) {
    if (dial->lookup)
        dial->lookup->dial = NULL;
    for (size_t i = 0; i < dial->started; i++) {
        int fd = dial->tries[i].watch.fd;
        loop_fd_remove(&dial->tries[i].watch);
        if (fd >= 0)
            (void)close(fd);
    }
    if (dial->found)
        freeaddrinfo(dial->found);
    loop_timer_stop(&dial->next_timer);
    loop_timer_stop(&dial->deadline);
    free(dial);
}

void dial_cancel(struct dial *dial) {
    if (dial)
        dial_free(dial);
}

static void dial_finish(struct dial *dial, int rc, int fd, const char *address) {
    void (*done)(void *ctx, int rc, int fd, const char *address, const char *reason) = dial->done;
    void *ctx = dial->ctx;
    char reason[sizeof dial->reason];
    (void)snprintf(reason, sizeof reason, "%s", dial->reason);
    dial_free(dial);
    done(ctx, rc, fd, address, reason);
}

static void dial_next(void *ctx);

static void try_failed(struct dial *dial, int error) {
    (void)snprintf(dial->reason, sizeof dial->reason, "cannot connect: %s", strerror(error));
    dial->failed++;
    if (dial->next && dial->started < TRIES_MAX)
        dial_next(dial);
    else if (dial->failed == dial->started)
        dial_finish(dial, SP_ECLOSED, -1, "");
}

static void try_ready(void *ctx, uint32_t events) {
    (void)events;
    struct try *try = ctx;
    struct dial *dial = try->dial;
    int fd = try->watch.fd, error = 0;
    socklen_t size = sizeof error;
    loop_fd_remove(&try->watch);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (error) {
        (void)close(fd);
        try_failed(dial, error);
        return;
    }
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    char address[64] = "";
    if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0)
        (void)getnameinfo((struct sockaddr *)&peer, len, address, sizeof address, NULL, 0, NI_NUMERICHOST);
    dial_finish(dial, 0, fd, address);
}

static void dial_next(void *ctx) {
    struct dial *dial = ctx;
    if (!dial->next || dial->started == TRIES_MAX)
        return;
    struct addrinfo *to = dial->next;
    dial->next = to->ai_next;
    struct try *try = &dial->tries[dial->started++];
    try->dial = dial;
    loop_fd_init(&try->watch);
    int on = 1;
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fd < 0 || (connect(fd, to->ai_addr, to->ai_addrlen) < 0 && errno != EINPROGRESS) ||
        loop_fd_add(dial->loop, &try->watch, fd, EPOLLOUT, try_ready, try) < 0) {
        int error = errno;
        if (fd >= 0)
            (void)close(fd);
        try_failed(dial, error);
        return;
    }
    if (dial->next)
        (void)loop_timer_set(&dial->next_timer, NEXT_MS);
}

static void dial_late(void *ctx) {
    struct dial *dial = ctx;
    (void)snprintf(dial->reason, sizeof dial->reason, "no answer within %d s", GIVE_UP_MS / 1000);
    dial_finish(dial, SP_ETIMEOUT, -1, "");
}

static void lookup_run(void *ctx) {
    struct lookup *lookup = ctx;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    lookup->error = getaddrinfo(lookup->host, lookup->port, &hints, &lookup->found);
    if (lookup->error == EAI_NONAME || lookup->error == EAI_ADDRFAMILY) {
        /* A machine with nothing but loopback has no address configured by that rule. */
        hints.ai_flags = 0;
        lookup->error = getaddrinfo(lookup->host, lookup->port, &hints, &lookup->found);
    }
}

static void lookup_drop(void *ctx) {
    struct lookup *lookup = ctx;
    if (lookup->found)
        freeaddrinfo(lookup->found);
    free(lookup);
}

static void lookup_done(void *ctx) {
    struct lookup *lookup = ctx;
    struct dial *dial = lookup->dial;
    if (dial) {
        dial->lookup = NULL;
        dial->found = dial->next = lookup->found;
        lookup->found = NULL;
        if (dial->found) {
            dial_next(dial);
        } else {
            (void)snprintf(dial->reason, sizeof dial->reason, "cannot find the host '%s': %s", lookup->host,
                           gai_strerror(lookup->error));
            dial_finish(dial, SP_ENOENT, -1, "");
        }
    }
    lookup_drop(lookup);
}

int dial_new(struct loop *loop, struct work *work, const char *host, uint16_t port,
             void (*done)(void *ctx, int rc, int fd, const char *address, const char *reason), void *ctx,
             struct dial **out) {
    struct dial *dial = calloc(1, sizeof *dial);
    struct lookup *lookup = calloc(1, sizeof *lookup);
    int rc = SP_ENOMEM;
    if (!dial || !lookup)
        goto fail;
    dial->loop = loop;
    dial->done = done;
    dial->ctx = ctx;
    loop_timer_init(loop, &dial->next_timer, dial_next, dial);
    loop_timer_init(loop, &dial->deadline, dial_late, dial);
    rc = str_copy(lookup->host, sizeof lookup->host, host);
    if (rc < 0)
        goto fail;
    (void)snprintf(lookup->port, sizeof lookup->port, "%u", port);
    lookup->dial = dial;
    dial->lookup = lookup;
    rc = loop_timer_set(&dial->deadline, GIVE_UP_MS);
    if (rc == 0)
        rc = work_submit(work, lookup_run, lookup_done, lookup_drop, lookup);
    if (rc < 0)
        goto fail;
    *out = dial;
    return 0;
fail:
    if (dial)
        loop_timer_stop(&dial->deadline);
    free(dial);
    free(lookup);
    return rc;
}
