#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include "loop_impl.h"
#include "sallyport/base/err.h"
#include "sallyport/base/os.h"

#define TIMERS_SMALLEST 16

static void heap_place(struct loop *loop, size_t at, struct loop_timer *timer) {
    loop->heap[at] = timer;
    timer->slot = (uint32_t)(at + 1);
}

/* The timer belongs at `at` or nearer to the top or the bottom. */
static void heap_settle(struct loop *loop, size_t at, struct loop_timer *timer) {
    while (at > 0 && loop->heap[(at - 1) / 2]->due > timer->due) {
        heap_place(loop, at, loop->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < loop->timer_count && loop->heap[child + 1]->due < loop->heap[child]->due)
            child++;
        if (child >= loop->timer_count || loop->heap[child]->due >= timer->due)
            break;
        heap_place(loop, at, loop->heap[child]);
        at = child;
    }
    heap_place(loop, at, timer);
}

/* When a delay that starts this instant is over for sure, whatever part of a millisecond has passed. */
static uint64_t due_after(const struct loop *loop, uint64_t delay_ms) {
    uint64_t now = os_monotonic_ms();
    uint64_t due = delay_ms > UINT64_MAX - now - 1 ? UINT64_MAX : now + delay_ms + (delay_ms ? 1 : 0);
    /* A timer that sets itself again with no delay waits for the next turn, or the turn would not end. */
    return loop->firing && due <= loop->now ? loop->now + 1 : due;
}

void loop_timer_init(struct loop *loop, struct loop_timer *timer, void (*fire)(void *ctx), void *ctx) {
    *timer = (struct loop_timer){.fire = fire, .ctx = ctx, .loop = loop};
}

int loop_timer_set(struct loop_timer *timer, uint64_t delay_ms) {
    struct loop *loop = timer->loop;
    size_t at = timer->slot;
    if (at > 0) {
        at--;
    } else {
        if (loop->timer_count == loop->timer_cap) {
            size_t cap = loop->timer_cap ? loop->timer_cap * 2 : TIMERS_SMALLEST;
            struct loop_timer **heap = reallocarray(loop->heap, cap, sizeof(struct loop_timer *));
            if (!heap)
                return SP_ENOMEM;
            loop->heap = heap;
            loop->timer_cap = cap;
        }
        at = loop->timer_count++;
    }
    timer->due = due_after(loop, delay_ms);
    heap_settle(loop, at, timer);
    return 0;
}

void loop_timer_stop(struct loop_timer *timer) {
    if (timer->slot == 0)
        return;
    struct loop *loop = timer->loop;
    size_t at = timer->slot - 1;
    struct loop_timer *last = loop->heap[--loop->timer_count];
    timer->slot = 0;
    if (last != timer)
        heap_settle(loop, at, last);
}

bool loop_timer_is_set(const struct loop_timer *timer) {
    return timer->slot != 0;
}

void loop_timers_fire(struct loop *loop) {
    loop->firing = true;
    while (loop->timer_count > 0 && loop->heap[0]->due <= loop->now) {
        struct loop_timer *timer = loop->heap[0];
        loop_timer_stop(timer);
        timer->fire(timer->ctx);
    }
    loop->firing = false;
}

int loop_timers_wait(const struct loop *loop) {
    if (loop->timer_count == 0)
        return -1;
    uint64_t now = os_monotonic_ms(), due = loop->heap[0]->due;
    if (due <= now)
        return 0;
    return due - now > INT_MAX ? INT_MAX : (int)(due - now);
}
