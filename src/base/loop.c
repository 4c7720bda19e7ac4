#include "sallyport/base/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "loop_impl.h"
#include "sallyport/base/err.h"
#include "sallyport/base/os.h"

#define LOOP_BATCH 128
#define SLOTS_SMALLEST 64
#define DRAIN_ROUNDS 1000

int loop_new(struct loop **out) {
    struct loop *loop = calloc(1, sizeof(*loop));
    if (!loop)
        return SP_ENOMEM;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0) {
        free(loop);
        return SP_ESYS;
    }
    loop->now = os_monotonic_ms();
    loop->signal_fd = -1;
    sigemptyset(&loop->signals);
    list_init(&loop->tasks);
    list_init(&loop->endings);
    list_init(&loop->leaving);
    loop_fd_init(&loop->signal_watch);
    *out = loop;
    return 0;
}

static void loop_end_first(struct list *list) {
    struct loop_ending *ending = list_item(list->next, struct loop_ending, link);
    loop_ending_remove(ending);
    ending->end(ending->ctx);
}

static void loop_end_all(struct list *list) {
    while (!list_is_empty(list))
        loop_end_first(list);
}

void loop_free(struct loop *loop) {
    if (!loop)
        return;
    loop_end_all(&loop->leaving);
    loop_end_all(&loop->endings);
    loop_fd_remove(&loop->signal_watch);
    if (loop->signal_fd >= 0)
        close(loop->signal_fd);
    close(loop->epoll);
    free(loop->slots);
    free(loop->heap);
    free(loop);
}

void loop_ending_add(struct loop *loop, struct loop_ending *ending, void (*end)(void *ctx), void *ctx) {
    *ending = (struct loop_ending){.end = end, .ctx = ctx};
    list_append(&loop->endings, &ending->link);
}

void loop_ending_remove(struct loop_ending *ending) {
    list_remove(&ending->link);
    if (ending->leaving)
        ending->leaving->leaving_count--;
    ending->leaving = NULL;
}

void loop_ending_leave(struct loop *loop, struct loop_ending *ending) {
    struct rlimit limit;
    if (ending->leaving)
        return;
    list_remove(&ending->link);
    list_append(&loop->leaving, &ending->link);
    ending->leaving = loop;
    loop->leaving_count++;
    while (getrlimit(RLIMIT_NOFILE, &limit) == 0 && loop->leaving_count > limit.rlim_cur / 8 + 1)
        loop_end_first(&loop->leaving);
}

void loop_fd_init(struct loop_fd *watch) {
    *watch = (struct loop_fd){.fd = -1};
}

static int loop_slots_grow(struct loop *loop, int fd) {
    size_t need = (size_t)fd + 1;
    if (need <= loop->slot_count)
        return 0;
    size_t count = loop->slot_count ? loop->slot_count : SLOTS_SMALLEST;
    while (count < need)
        count *= 2;
    struct loop_slot *slots = reallocarray(loop->slots, count, sizeof(*slots));
    if (!slots)
        return SP_ENOMEM;
    memset(slots + loop->slot_count, 0, (count - loop->slot_count) * sizeof(*slots));
    loop->slots = slots;
    loop->slot_count = count;
    return 0;
}

static int loop_control(struct loop *loop, int operation, int fd, uint32_t events, uint32_t generation) {
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)generation << 32 | (uint32_t)fd};
    return epoll_ctl(loop->epoll, operation, fd, &event) == 0 ? 0 : SP_ESYS;
}

int loop_fd_add(struct loop *loop, struct loop_fd *watch, int fd, uint32_t events,
                void (*ready)(void *ctx, uint32_t events), void *ctx) {
    if (fd < 0 || watch->fd >= 0)
        return SP_EINVAL;
    int rc = loop_slots_grow(loop, fd);
    if (rc)
        return rc;
    rc = loop_control(loop, EPOLL_CTL_ADD, fd, events, loop->generation + 1);
    if (rc)
        return rc;
    loop->generation++;
    loop->slots[fd] = (struct loop_slot){.watch = watch, .generation = loop->generation};
    *watch = (struct loop_fd){.fd = fd, .events = events, .ready = ready, .ctx = ctx, .loop = loop};
    return 0;
}

/* False when somebody closed the descriptor under the watch and its number has a new owner: hands off then. */
static bool loop_fd_owns(const struct loop_fd *watch) {
    return watch->fd >= 0 && watch->loop->slots[watch->fd].watch == watch;
}

int loop_fd_set(struct loop_fd *watch, uint32_t events) {
    if (!loop_fd_owns(watch))
        return SP_EINVAL;
    if (watch->events == events)
        return 0;
    int rc = loop_control(watch->loop, EPOLL_CTL_MOD, watch->fd, events, watch->loop->slots[watch->fd].generation);
    if (rc)
        return rc;
    watch->events = events;
    return 0;
}

void loop_fd_remove(struct loop_fd *watch) {
    if (loop_fd_owns(watch)) {
        int saved = errno;
        /* Fails when the descriptor was closed already: the kernel has removed it then. */
        loop_control(watch->loop, EPOLL_CTL_DEL, watch->fd, 0, 0);
        watch->loop->slots[watch->fd] = (struct loop_slot){0};
        errno = saved;
    }
    watch->fd = -1;
}

void loop_task_init(struct loop *loop, struct loop_task *task, void (*run)(void *ctx), void *ctx) {
    *task = (struct loop_task){.run = run, .ctx = ctx, .loop = loop};
    list_init(&task->link);
}

void loop_task_post(struct loop_task *task) {
    if (list_is_empty(&task->link))
        list_append(&task->loop->tasks, &task->link);
}

void loop_task_cancel(struct loop_task *task) {
    list_remove(&task->link);
}

/* One round: those that are posted now. Every one leaves the list before it runs, so it may free or post itself, and
 * may cancel any other. */
static void loop_tasks_run(struct loop *loop) {
    struct list round;
    list_init(&round);
    while (!list_is_empty(&loop->tasks)) {
        struct list *node = loop->tasks.next;
        list_remove(node);
        list_append(&round, node);
    }
    while (!list_is_empty(&round)) {
        struct loop_task *task = list_item(round.next, struct loop_task, link);
        list_remove(&task->link);
        task->run(task->ctx);
    }
}

void loop_drain(struct loop *loop) {
    for (int i = 0; i < DRAIN_ROUNDS && !list_is_empty(&loop->tasks); i++)
        loop_tasks_run(loop);
}

static void loop_signals_read(void *ctx, uint32_t events) {
    struct loop *loop = ctx;
    struct signalfd_siginfo info;
    (void)events;
    while (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo >= NSIG)
            continue;
        struct loop_catcher catcher = loop->catchers[info.ssi_signo];
        if (catcher.caught)
            catcher.caught(catcher.ctx, (int)info.ssi_signo);
    }
}

int loop_signal(struct loop *loop, int signo, void (*caught)(void *ctx, int signo), void *ctx) {
    sigset_t set = loop->signals;
    if (signo <= 0 || signo >= NSIG || sigaddset(&set, signo) != 0)
        return SP_EINVAL;
    int fd = signalfd(loop->signal_fd, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return SP_ESYS;
    loop->signal_fd = fd;
    if (loop->signal_watch.fd < 0) {
        int rc = loop_fd_add(loop, &loop->signal_watch, fd, EPOLLIN, loop_signals_read, loop);
        if (rc)
            return rc;
    }
    errno = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (errno)
        return SP_ESYS;
    loop->signals = set;
    loop->catchers[signo] = (struct loop_catcher){.caught = caught, .ctx = ctx};
    return 0;
}

static void loop_dispatch(struct loop *loop, const struct epoll_event *event) {
    uint32_t fd = (uint32_t)event->data.u64, generation = (uint32_t)(event->data.u64 >> 32);
    const struct loop_slot *slot = &loop->slots[fd];
    if (!slot->watch || slot->generation != generation)
        return;
    struct loop_fd *watch = slot->watch;
    /* What is no longer wanted since this turn began is not reported. */
    uint32_t events = event->events & (watch->events | EPOLLERR | EPOLLHUP);
    if (events)
        watch->ready(watch->ctx, events);
}

static int loop_turn(struct loop *loop) {
    struct epoll_event batch[LOOP_BATCH];
    int wait = list_is_empty(&loop->tasks) ? loop_timers_wait(loop) : 0;
    int n = epoll_wait(loop->epoll, batch, LOOP_BATCH, wait);
    if (n < 0 && errno != EINTR)
        return SP_ESYS;
    loop->now = os_monotonic_ms();
    for (int i = 0; i < n; i++)
        loop_dispatch(loop, &batch[i]);
    loop_timers_fire(loop);
    loop_tasks_run(loop);
    return 0;
}

int loop_run(struct loop *loop) {
    int rc = 0;
    while (!loop->stop && rc == 0)
        rc = loop_turn(loop);
    loop->stop = false;
    return rc;
}

void loop_stop(struct loop *loop) {
    loop->stop = true;
}

uint64_t loop_now(const struct loop *loop) {
    return loop->now;
}

int loop_epoll_fd(const struct loop *loop) {
    return loop->epoll;
}
