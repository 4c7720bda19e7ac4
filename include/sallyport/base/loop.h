/* The event loop: file descriptors, timers, signals, deferred tasks; one thread, one epoll. */
#ifndef SALLYPORT_BASE_LOOP_H
#define SALLYPORT_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "sallyport/base/list.h"

struct loop;

/* 0, SP_ENOMEM or SP_ESYS. loop_free wants everything removed before; NULL is allowed. */
int loop_new(struct loop **out);
void loop_free(struct loop *loop);

/* Turns until loop_stop. Returns 0, or SP_ESYS when epoll itself fails. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Runs posted tasks, and those that they post, until there is none (at most 1000 rounds), without waiting for anything:
 * for taking things down in order after loop_run. */
void loop_drain(struct loop *loop);

/* Milliseconds of CLOCK_MONOTONIC, read once a turn (after the wait) and cached. */
uint64_t loop_now(const struct loop *loop);

/* A watched descriptor, embedded in its owner. The loop never closes it. `ready` gets EPOLL* bits. Level triggered
 * unless EPOLLET is in `events`. Events of a descriptor removed in the same turn are dropped, even when its number
 * was reused at once. */
struct loop_fd {
    int fd; /* -1: not watched */
    uint32_t events;
    void (*ready)(void *ctx, uint32_t events);
    void *ctx;
    struct loop *loop;
};
void loop_fd_init(struct loop_fd *watch);
int loop_fd_add(struct loop *loop, struct loop_fd *watch, int fd, uint32_t events,
                void (*ready)(void *ctx, uint32_t events), void *ctx);
/* No system call when nothing changes. */
int loop_fd_set(struct loop_fd *watch, uint32_t events);
/* Before close(). Harmless when not watched. */
void loop_fd_remove(struct loop_fd *watch);

/* A one-shot timer, embedded in its owner. Setting it again moves it. Fires at or after the delay, never inside the
 * call that sets it. */
struct loop_timer {
    uint64_t due;
    void (*fire)(void *ctx);
    void *ctx;
    struct loop *loop;
    uint32_t slot; /* place in the heap + 1; 0: not set */
};
void loop_timer_init(struct loop *loop, struct loop_timer *timer, void (*fire)(void *ctx), void *ctx);
int loop_timer_set(struct loop_timer *timer, uint64_t delay_ms); /* 0 or SP_ENOMEM */
void loop_timer_stop(struct loop_timer *timer);                  /* harmless when not set */
bool loop_timer_is_set(const struct loop_timer *timer);

/* A deferred call: runs once after the descriptors of this turn were served. Posting twice before it ran is one run.
 * A task posted by a task runs in the next round, and a turn with tasks left does not sleep. */
struct loop_task {
    struct list link;
    void (*run)(void *ctx);
    void *ctx;
    struct loop *loop;
};
void loop_task_init(struct loop *loop, struct loop_task *task, void (*run)(void *ctx), void *ctx);
void loop_task_post(struct loop_task *task);
void loop_task_cancel(struct loop_task *task); /* harmless when not posted */

/* Blocks the signal for the process and calls `caught` on the loop instead. 0 or SP_ESYS. */
int loop_signal(struct loop *loop, int signo, void (*caught)(void *ctx, int signo), void *ctx);

/* Something that waits for a timer of its own and belongs to nobody else any more: loop_free ends it. */
struct loop_ending {
    struct list link;
    void (*end)(void *ctx);
    void *ctx;
    struct loop *leaving; /* NULL: loop_ending_leave was not called */
};
void loop_ending_add(struct loop *loop, struct loop_ending *ending, void (*end)(void *ctx), void *ctx);
void loop_ending_remove(struct loop_ending *ending);
/* From now on it keeps a descriptor only so that its peer hears the last words. Of those there may be an eighth of the
 * descriptors that this process may have, and one: for each that is too many, the one that left first is ended here. */
void loop_ending_leave(struct loop *loop, struct loop_ending *ending);

/* The epoll descriptor: lets another library's loop nest, and tests look. */
int loop_epoll_fd(const struct loop *loop);

#endif
