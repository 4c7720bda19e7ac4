/* What the system does about sleep, by logind over D-Bus: hears of it, delays it for a moment, forbids it for a while
 * (org.freedesktop.login1(5), https://systemd.io/INHIBITOR_LOCKS). */
#ifndef SALLYPORT_WIRE_LOGIND_H
#define SALLYPORT_WIRE_LOGIND_H

#include "sallyport/base/loop.h"

struct logind;

/* From the loop; neither may free the logind. */
struct logind_events {
    /* The machine is about to sleep, and waits until logind_let_sleep is called, for some seconds at most. */
    void (*sleeping)(void *ctx);
    /* It is awake again, or the sleep was called off. */
    void (*awake)(void *ctx);
};

/* Connects to the system's bus ($DBUS_SYSTEM_BUS_ADDRESS when it is set), without waiting for anything. Where there is
 * no bus or no logind nothing is ever heard, and they are looked for again from time to time. SP_ENOMEM. */
int logind_new(struct loop *loop, const struct logind_events *events, void *ctx, struct logind **out);
/* NULL is allowed. */
void logind_free(struct logind *logind);

/* What had to be done before the sleep is done. */
void logind_let_sleep(struct logind *logind);

/* Keeps the machine from sleeping, for that reason, which people are shown (`systemd-inhibit --list`); NULL: no more. It
 * stays possible for root to have his way. */
void logind_keep_awake(struct logind *logind, const char *reason);
/* Is the machine kept awake: was it asked for, and has logind agreed? */
bool logind_keeps_awake(const struct logind *logind);

#endif
