/* A clock of the test's own, for a loop that talks with the test alone: when nothing is ready, time jumps to the next
 * timer. So long waits take no time, and a machine that stands still for a while changes nothing. The linker puts the
 * three functions in the place of the true ones (CMakeLists.txt). */
#ifndef SALLYPORT_TESTS_OWN_CLOCK_H
#define SALLYPORT_TESTS_OWN_CLOCK_H

#include <stdint.h>
#include <sys/epoll.h>

enum { OWN_CLOCK_GRACE_MS = 1 }; /* true ones: for what is on its way through the kernel */

static uint64_t own_clock_ms = 1000000;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
uint64_t __wrap_os_monotonic_ms(void);
uint64_t __wrap_os_boottime_ms(void);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout);
int __real_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout);

uint64_t __wrap_os_monotonic_ms(void) {
    return own_clock_ms;
}

uint64_t __wrap_os_boottime_ms(void) {
    return own_clock_ms;
}

int __wrap_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout) {
    int n = __real_epoll_wait(epoll, events, max, timeout > 0 ? OWN_CLOCK_GRACE_MS : timeout);
    if (n == 0 && timeout > 0)
        own_clock_ms += (uint64_t)timeout;
    return n;
}
/* NOLINTEND(bugprone-reserved-identifier) */

#endif
