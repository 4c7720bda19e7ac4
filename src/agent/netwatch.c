#include "netwatch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "sallyport/base/os.h"

enum { SETTLE_MS = 300, LOOK_MS = 2000, SLEEP_MS = 1000 };

struct netwatch {
    struct loop_fd watch;
    struct loop_timer settle, look;
    uint64_t asleep; /* BOOTTIME minus MONOTONIC: how long the machine has slept since it booted */
    void (*changed)(void *ctx, enum netwatch_cause cause);
    void *ctx;
};

static uint64_t slept_so_far(void) {
    return os_boottime_ms() - os_monotonic_ms();
}

static void netwatch_settled(void *ctx) {
    struct netwatch *watch = ctx;
    watch->changed(watch->ctx, NETWATCH_NETWORK);
}

static void netwatch_ready(void *ctx, uint32_t events) {
    (void)events;
    struct netwatch *watch = ctx;
    char bytes[8192];
    /* What changed does not matter, and messages that were lost (ENOBUFS) are a change, too. */
    ssize_t n;
    while ((n = recv(watch->watch.fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0 || (n < 0 && errno == ENOBUFS)) {
    }
    if (!loop_timer_is_set(&watch->settle))
        (void)loop_timer_set(&watch->settle, SETTLE_MS);
}

static void netwatch_look(void *ctx) {
    struct netwatch *watch = ctx;
    uint64_t now = slept_so_far();
    uint64_t before = watch->asleep;
    watch->asleep = now;
    (void)loop_timer_set(&watch->look, LOOK_MS);
    if (now > before + SLEEP_MS)
        watch->changed(watch->ctx, NETWATCH_SLEPT);
}

int netwatch_new(struct loop *loop, void (*changed)(void *ctx, enum netwatch_cause cause), void *ctx,
                 struct netwatch **out) {
    struct netwatch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return SP_ENOMEM;
    loop_fd_init(&watch->watch);
    loop_timer_init(loop, &watch->settle, netwatch_settled, watch);
    loop_timer_init(loop, &watch->look, netwatch_look, watch);
    watch->asleep = slept_so_far();
    watch->changed = changed;
    watch->ctx = ctx;
    struct sockaddr_nl address = {.nl_family = AF_NETLINK,
                                  .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                               RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        loop_fd_add(loop, &watch->watch, fd, EPOLLIN, netwatch_ready, watch) < 0 ||
        loop_timer_set(&watch->look, LOOK_MS) < 0) {
        if (fd >= 0) {
            loop_fd_remove(&watch->watch);
            (void)close(fd);
        }
        free(watch);
        return SP_ESYS;
    }
    *out = watch;
    return 0;
}

void netwatch_free(struct netwatch *watch) {
    if (!watch)
        return;
    int fd = watch->watch.fd;
    loop_fd_remove(&watch->watch);
    (void)close(fd);
    loop_timer_stop(&watch->settle);
    loop_timer_stop(&watch->look);
    free(watch);
}
