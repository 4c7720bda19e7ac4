#include "relay_clock.h"

/* STEP_MS: later than that no message comes, for the link would be dead. SINK: how slowly a lower guess is believed. */
enum { STEP_MS = 20000, SINK = 64 };

/* What it said is cut to whole seconds and comes late, never early: a higher guess is a better one. But the two clocks do
 * not run equally fast, so what is lower counts a little, too. One that is lower by far means that the relay's clock was
 * set back. */
void relay_clock_hear(struct relay_clock *clock, int64_t server_time, uint64_t boottime_ms) {
    if (server_time <= 0 || server_time > INT64_MAX / 2000)
        return;
    int64_t guess = server_time * 1000 - (int64_t)boottime_ms;
    if (!clock->known || guess > clock->ahead_ms || guess < clock->ahead_ms - STEP_MS)
        clock->ahead_ms = guess;
    else
        clock->ahead_ms -= (clock->ahead_ms - guess) / SINK;
    clock->known = true;
}

int64_t relay_clock_at(const struct relay_clock *clock, uint64_t boottime_ms) {
    return clock->known ? (clock->ahead_ms + (int64_t)boottime_ms) / 1000 : 0;
}

int64_t relay_clock_lead(const struct relay_clock *clock, int64_t utc_s, uint64_t boottime_ms) {
    return clock->known ? utc_s - relay_clock_at(clock, boottime_ms) : 0;
}
