/* What loop.c and loop_timer.c share. */
#ifndef SALLYPORT_BASE_LOOP_IMPL_H
#define SALLYPORT_BASE_LOOP_IMPL_H

#include <signal.h>
#include <stddef.h>

#include "sallyport/base/loop.h"

/* Who watches a descriptor. An event carries the number and the generation; when another watch took the number over,
 * the generation differs and the event is stale. */
struct loop_slot {
    struct loop_fd *watch;
    uint32_t generation;
};

struct loop_catcher {
    void (*caught)(void *ctx, int signo);
    void *ctx;
};

struct loop {
    int epoll;
    bool stop;
    uint64_t now;

    struct loop_slot *slots; /* by descriptor */
    size_t slot_count;
    uint32_t generation;

    struct loop_timer **heap; /* the earliest first */
    size_t timer_count, timer_cap;
    bool firing;

    struct list tasks, endings, leaving;
    unsigned leaving_count;

    int signal_fd;
    sigset_t signals;
    struct loop_fd signal_watch;
    struct loop_catcher catchers[NSIG];
};

/* Calls every timer due at loop->now that was set before this call. */
void loop_timers_fire(struct loop *loop);
/* Milliseconds until the next one, as epoll_wait takes them: -1 when there is none. */
int loop_timers_wait(const struct loop *loop);

#endif
