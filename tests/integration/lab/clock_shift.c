/* A wrong clock for one program, by LD_PRELOAD: CLOCK_SHIFT_S seconds (may be negative) are added to the time of day. With
 * CLOCK_SPEED it goes so many times as fast from CLOCK_START (UTC seconds) on. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t number(const char *name, int64_t otherwise) {
    const char *text = getenv(name);
    return text != NULL ? strtoll(text, NULL, 10) : otherwise;
}

static time_t shift(void) {
    return (time_t)number("CLOCK_SHIFT_S", 0);
}

/* Faster than it is, from a moment that all who are started share. */
static time_t hurry(time_t now) {
    int64_t start = number("CLOCK_START", 0), speed = number("CLOCK_SPEED", 1);
    return start > 0 && now > start ? (time_t)(start + (now - start) * speed) : now;
}

/* libc calls the parameters by names that are reserved for it. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
int clock_gettime(clockid_t clock, struct timespec *now) {
    long rc = syscall(SYS_clock_gettime, clock, now);
    if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec = hurry(now->tv_sec) + shift();
    return (int)rc;
}

time_t time(time_t *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to != NULL)
        *to = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict to, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    to->tv_sec = now.tv_sec;
    to->tv_usec = now.tv_nsec / 1000;
    return 0;
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
