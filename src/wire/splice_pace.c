#include "splice_pace.h"

#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* ssh writes pieces of 32 KiB at most, and each wakes the splice, which wakes sshd: at some hundred megabytes a second
 * that costs more than carrying them. Gathered for a millisecond they go by the half megabyte.
 *
 * It begins only above what a gigabit line carries: below, the processor has time, and nobody is made to wait. Whoever
 * sends some, and waits for its answer before he goes on, is slowed down by gathering. That shows, since what was carried
 * before is known: then it ends, and each time it is tried again later. */
enum {
    MARK = 524288,     /* bytes in a socket that are worth waking up for */
    TICK_NS = 1000000, /* nobody waits longer */
    SPAN_MS = 16,      /* what is carried in so long a time is compared */
    TICKS = 16,
    MUCH = 131072,     /* bytes a millisecond: begins it */
    SLOWED_SHARE = 60, /* of what was carried before, in per cent: less ends it */
    REST_MS = 100,
    REST_MOST_MS = 3200,
};

void splice_pace_init(struct splice_pace *pace, struct loop *loop, int a, int b, void (*due)(void *ctx), void *ctx) {
    *pace = (struct splice_pace){
        .loop = loop, .fds = {a, b}, .due = due, .ctx = ctx, .since = loop_now(loop), .rest_ms = REST_MS};
    loop_fd_init(&pace->tick);
}

void splice_pace_fini(struct splice_pace *pace) {
    int fd = pace->tick.fd;
    loop_fd_remove(&pace->tick);
    if (fd >= 0)
        (void)close(fd);
}

bool splice_pace_gathers(const struct splice_pace *pace) {
    return pace->tick.fd >= 0;
}

static void pace_mark(const struct splice_pace *pace, int mark) {
    for (int i = 0; i < 2; i++)
        (void)setsockopt(pace->fds[i], SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark);
}

static void pace_count(struct splice_pace *pace, uint64_t since) {
    pace->since = since;
    pace->began = pace->carried;
    pace->ticks = 0;
}

/* Leaves the sockets alone for a while, longer each time. */
static void pace_rest(struct splice_pace *pace) {
    splice_pace_fini(pace);
    pace_mark(pace, 1);
    pace_count(pace, loop_now(pace->loop) + pace->rest_ms);
    pace->rest_ms = pace->rest_ms < REST_MOST_MS ? 2 * pace->rest_ms : REST_MOST_MS;
}

/* Bytes a millisecond since the count began. */
static uint64_t pace_rate(const struct splice_pace *pace) {
    uint64_t took = loop_now(pace->loop) - pace->since;
    return (pace->carried - pace->began) / (took ? took : 1);
}

static void pace_judge(struct splice_pace *pace) {
    if (pace_rate(pace) < pace->free_rate / 100 * SLOWED_SHARE) {
        pace_rest(pace);
        return;
    }
    pace->rest_ms = REST_MS;
    pace_count(pace, loop_now(pace->loop));
}

static void pace_tick(void *ctx, uint32_t events) {
    (void)events;
    struct splice_pace *pace = ctx;
    uint64_t times;
    if (read(pace->tick.fd, &times, sizeof times) < 0) /* which also starts the next one */
        return;
    if (++pace->ticks >= TICKS)
        pace_judge(pace);
    pace->due(pace->ctx); /* also at the last tick: what lies below the mark is not always reported when that falls */
}

static void pace_gather(struct splice_pace *pace) {
    struct itimerspec each = {.it_interval.tv_nsec = TICK_NS, .it_value.tv_nsec = TICK_NS};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0 || timerfd_settime(fd, 0, &each, NULL) < 0 ||
        loop_fd_add(pace->loop, &pace->tick, fd, EPOLLIN, pace_tick, pace) < 0) {
        if (fd >= 0)
            (void)close(fd);
        pace_count(pace, loop_now(pace->loop) + REST_MOST_MS);
        return;
    }
    pace_mark(pace, MARK);
    pace_count(pace, loop_now(pace->loop));
}

void splice_pace_note(struct splice_pace *pace, uint64_t carried) {
    uint64_t now = loop_now(pace->loop);
    pace->carried = carried;
    if (now < pace->since)
        pace->began = carried; /* it rests */
    if (splice_pace_gathers(pace) || now < pace->since + SPAN_MS)
        return;
    pace->free_rate = pace_rate(pace);
    if (pace->free_rate >= MUCH)
        pace_gather(pace);
    else
        pace_count(pace, now);
}
