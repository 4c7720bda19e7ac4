/* The relay's clock as the link tells it: tickets are dated by it, so this machine's own clock may be wrong. */
#ifndef SALLYPORT_AGENT_RELAY_CLOCK_H
#define SALLYPORT_AGENT_RELAY_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: not known yet. Times of this machine are os_boottime_ms, which nobody can set. */
struct relay_clock {
    bool known;
    int64_t ahead_ms; /* the relay's UTC, in milliseconds, minus ours */
};

/* The relay said `server_time` (UTC seconds; 0: it did not) in a message that came at `boottime_ms`. */
void relay_clock_hear(struct relay_clock *clock, int64_t server_time, uint64_t boottime_ms);
/* The relay's UTC seconds at that moment: at most a second and one journey late, never early. 0: not known. */
int64_t relay_clock_at(const struct relay_clock *clock, uint64_t boottime_ms);
/* How many seconds a clock of UTC seconds is ahead of the relay's (behind: negative). 0: not known. */
int64_t relay_clock_lead(const struct relay_clock *clock, int64_t utc_s, uint64_t boottime_ms);

#endif
