#include "sallyport/wire/logind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "sallyport/base/log.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

#define LOGIND_NAME "org.freedesktop.login1"
#define LOGIND_PATH "/org/freedesktop/login1"
#define LOGIND_MANAGER "org.freedesktop.login1.Manager"

enum {
    AGAIN_MS = 60000,
    MESSAGES_A_TURN = 32, /* of a bus that has much to say */
};

/* One lock: held as long as its descriptor is open. */
struct inhibitor {
    const char *what, *mode;
    char why[128];
    bool wanted;
    int fd;            /* -1: not held */
    sd_bus_slot *call; /* asked for, no answer yet */
    struct logind *logind;
};

struct logind {
    struct loop *loop;
    sd_bus *bus; /* NULL: none */
    sd_bus_slot *signal;
    struct loop_fd watch;
    struct loop_timer timeout, again;
    struct inhibitor delay, block;
    bool told; /* the same trouble is said once */
    const struct logind_events *events;
    void *ctx;
};

static void logind_trouble(struct logind *logind, const char *what) {
    if (!logind->told)
        log_info("sleep of this machine can be neither told nor prevented: %s", what);
    logind->told = true;
    if (!loop_timer_is_set(&logind->again))
        (void)loop_timer_set(&logind->again, AGAIN_MS);
}

static void inhibitor_release(struct inhibitor *inhibitor) {
    inhibitor->call = sd_bus_slot_unref(inhibitor->call);
    if (inhibitor->fd >= 0)
        (void)close(inhibitor->fd);
    inhibitor->fd = -1;
}

static int inhibitor_answered(sd_bus_message *message, void *ctx, sd_bus_error *unused) {
    (void)unused;
    struct inhibitor *inhibitor = ctx;
    const sd_bus_error *error = sd_bus_message_get_error(message);
    int fd = -1;
    inhibitor->call = sd_bus_slot_unref(inhibitor->call);
    if (error)
        logind_trouble(inhibitor->logind, error->message ? error->message : error->name);
    else if (sd_bus_message_read(message, "h", &fd) >= 0)
        inhibitor->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* the message closes its own */
    return 0;
}

/* Asks for the lock, or gives it back, as it is wanted now. */
static void inhibitor_update(struct inhibitor *inhibitor) {
    struct logind *logind = inhibitor->logind;
    if (!inhibitor->wanted) {
        inhibitor_release(inhibitor);
        return;
    }
    if (!logind->bus || inhibitor->fd >= 0 || inhibitor->call)
        return;
    int rc = sd_bus_call_method_async(logind->bus, &inhibitor->call, LOGIND_NAME, LOGIND_PATH, LOGIND_MANAGER,
                                      "Inhibit", inhibitor_answered, inhibitor, "ssss", inhibitor->what, "Sallyport",
                                      inhibitor->why, inhibitor->mode);
    if (rc < 0)
        logind_trouble(logind, strerror(-rc));
}

static int logind_signalled(sd_bus_message *message, void *ctx, sd_bus_error *unused) {
    (void)unused;
    struct logind *logind = ctx;
    int asleep = 0;
    if (sd_bus_message_read(message, "b", &asleep) < 0)
        return 0;
    if (asleep) {
        logind->events->sleeping(logind->ctx);
        return 0;
    }
    logind->delay.wanted = true;
    inhibitor_update(&logind->delay);
    logind->events->awake(logind->ctx);
    return 0;
}

/* The bus knows of us by now, or will not hear of it. */
static int logind_listens(sd_bus_message *message, void *ctx, sd_bus_error *unused) {
    (void)unused;
    const sd_bus_error *error = sd_bus_message_get_error(message);
    if (error)
        logind_trouble(ctx, error->message ? error->message : error->name);
    return 0;
}

static void logind_leave(struct logind *logind) {
    inhibitor_release(&logind->delay);
    inhibitor_release(&logind->block);
    loop_fd_remove(&logind->watch);
    loop_timer_stop(&logind->timeout);
    logind->signal = sd_bus_slot_unref(logind->signal);
    logind->bus = sd_bus_close_unref(logind->bus);
}

/* What sd-bus waits for may be something else after each call. */
static void logind_watch(struct logind *logind) {
    int events = sd_bus_get_events(logind->bus);
    uint64_t until = UINT64_MAX, now = os_monotonic_ms();
    (void)loop_fd_set(&logind->watch, events > 0 ? (uint32_t)events : EPOLLIN); /* poll(2) has the same bits */
    (void)sd_bus_get_timeout(logind->bus, &until);
    if (until == UINT64_MAX)
        loop_timer_stop(&logind->timeout);
    else
        (void)loop_timer_set(&logind->timeout, until / 1000 >= now ? until / 1000 - now + 1 : 0);
}

static void logind_turn(void *ctx) {
    struct logind *logind = ctx;
    int rc = 1;
    for (int i = 0; i < MESSAGES_A_TURN && rc > 0; i++)
        rc = sd_bus_process(logind->bus, NULL);
    if (rc < 0) {
        logind_leave(logind);
        logind_trouble(logind, "the system's bus is gone");
        return;
    }
    logind_watch(logind);
    if (rc > 0)
        (void)loop_timer_set(&logind->timeout, 0);
}

static void logind_ready(void *ctx, uint32_t events) {
    (void)events;
    logind_turn(ctx);
}

static int logind_connect(struct logind *logind) {
    int rc = sd_bus_open_system(&logind->bus);
    if (rc >= 0)
        rc = sd_bus_match_signal_async(logind->bus, &logind->signal, LOGIND_NAME, LOGIND_PATH, LOGIND_MANAGER,
                                       "PrepareForSleep", logind_signalled, logind_listens, logind);
    if (rc >= 0)
        rc = sd_bus_get_fd(logind->bus);
    if (rc >= 0 && loop_fd_add(logind->loop, &logind->watch, rc, EPOLLIN, logind_ready, logind) < 0)
        rc = -ENOMEM;
    return rc < 0 ? rc : 0;
}

static void logind_again(void *ctx) {
    struct logind *logind = ctx;
    int rc = logind->bus ? 0 : logind_connect(logind);
    if (rc < 0) {
        logind_leave(logind);
        if (rc == -ENOENT) { /* as in most containers */
            log_debug("there is no system bus here: sleep of this machine can be neither told nor prevented");
            logind->told = true;
        }
        logind_trouble(logind, strerror(-rc));
        return;
    }
    inhibitor_update(&logind->delay);
    inhibitor_update(&logind->block);
    logind_turn(logind);
}

int logind_new(struct loop *loop, const struct logind_events *events, void *ctx, struct logind **out) {
    struct logind *logind = calloc(1, sizeof *logind);
    if (!logind)
        return SP_ENOMEM;
    logind->loop = loop;
    logind->events = events;
    logind->ctx = ctx;
    logind->delay = (struct inhibitor){.what = "sleep",
                                       .mode = "delay",
                                       .why = "says that this machine goes to sleep",
                                       .wanted = true,
                                       .fd = -1,
                                       .logind = logind};
    logind->block = (struct inhibitor){.what = "sleep:idle", .mode = "block", .fd = -1, .logind = logind};
    loop_fd_init(&logind->watch);
    loop_timer_init(loop, &logind->timeout, logind_turn, logind);
    loop_timer_init(loop, &logind->again, logind_again, logind);
    logind_again(logind);
    *out = logind;
    return 0;
}

void logind_free(struct logind *logind) {
    if (!logind)
        return;
    loop_timer_stop(&logind->again);
    logind_leave(logind);
    free(logind);
}

void logind_let_sleep(struct logind *logind) {
    logind->delay.wanted = false;
    inhibitor_update(&logind->delay);
}

void logind_keep_awake(struct logind *logind, const char *reason) {
    struct inhibitor *block = &logind->block;
    bool same = reason && block->wanted && strcmp(reason, block->why) == 0;
    if (same || (!reason && !block->wanted))
        return;
    /* A lock keeps the reason that it was asked with. */
    block->wanted = false;
    inhibitor_update(block);
    block->wanted = reason != NULL;
    (void)snprintf(block->why, sizeof block->why, "%s", reason ? reason : "");
    inhibitor_update(block);
    if (logind->bus)
        logind_watch(logind);
}

bool logind_keeps_awake(const struct logind *logind) {
    return logind->block.fd >= 0;
}
