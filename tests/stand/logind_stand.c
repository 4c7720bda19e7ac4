/* A stand-in for logind on the bus at $DBUS_SYSTEM_BUS_ADDRESS: grants inhibitors, and sends the machine to sleep and
 * wakes it as standard input says.
 *   standard output:  ready | refusing | inhibit WHAT MODE WHO: WHY | release WHAT MODE
 *   standard input:   sleep | wake | refuse (every inhibitor from now on) */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

enum { LOCKS_MAX = 16 };

#define PATH "/org/freedesktop/login1"
#define MANAGER "org.freedesktop.login1.Manager"

struct lock {
    int fd; /* -1: free; ends when its holder closes the other end */
    char what[32], mode[16];
};

struct stand {
    sd_bus *bus;
    struct lock locks[LOCKS_MAX];
    bool refuses;
};

static int inhibit(sd_bus_message *message, void *ctx, sd_bus_error *error) {
    struct stand *stand = ctx;
    const char *what, *who, *why, *mode;
    int ends[2];
    size_t at = 0;
    int rc = sd_bus_message_read(message, "ssss", &what, &who, &why, &mode);
    if (rc < 0)
        return rc;
    while (at < LOCKS_MAX && stand->locks[at].fd >= 0)
        at++;
    if (stand->refuses || at == LOCKS_MAX)
        return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "Permission denied");
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    struct lock *lock = &stand->locks[at];
    lock->fd = ends[0];
    (void)snprintf(lock->what, sizeof lock->what, "%s", what);
    (void)snprintf(lock->mode, sizeof lock->mode, "%s", mode);
    (void)printf("inhibit %s %s %s: %s\n", what, mode, who, why);
    rc = sd_bus_reply_method_return(message, "h", ends[1]);
    (void)close(ends[1]);
    return rc;
}

static const sd_bus_vtable vtable[] = {SD_BUS_VTABLE_START(0),
                                       SD_BUS_METHOD("Inhibit", "ssss", "h", inhibit, SD_BUS_VTABLE_UNPRIVILEGED),
                                       SD_BUS_SIGNAL("PrepareForSleep", "b", 0), SD_BUS_VTABLE_END};

static void look_at_locks(struct stand *stand, const struct pollfd *polled) {
    for (size_t i = 0; i < LOCKS_MAX; i++) {
        struct lock *lock = &stand->locks[i];
        if (lock->fd < 0 || polled[i].fd != lock->fd || !(polled[i].revents & POLLHUP))
            continue;
        (void)close(lock->fd);
        lock->fd = -1;
        (void)printf("release %s %s\n", lock->what, lock->mode);
    }
}

/* false: standard input has ended. */
static bool obey(struct stand *stand) {
    char words[256];
    ssize_t n = read(STDIN_FILENO, words, sizeof words - 1);
    if (n <= 0)
        return false;
    words[n] = '\0';
    if (strstr(words, "refuse")) {
        stand->refuses = true;
        (void)printf("refusing\n");
    }
    if (strstr(words, "sleep"))
        (void)sd_bus_emit_signal(stand->bus, PATH, MANAGER, "PrepareForSleep", "b", 1);
    if (strstr(words, "wake"))
        (void)sd_bus_emit_signal(stand->bus, PATH, MANAGER, "PrepareForSleep", "b", 0);
    return true;
}

static int serve(struct stand *stand) {
    int rc = sd_bus_open_system(&stand->bus);
    if (rc >= 0)
        rc = sd_bus_add_object_vtable(stand->bus, NULL, PATH, MANAGER, vtable, stand);
    if (rc >= 0)
        rc = sd_bus_request_name(stand->bus, "org.freedesktop.login1", 0);
    if (rc >= 0)
        (void)printf("ready\n");
    bool more = rc >= 0;
    while (more) {
        struct pollfd polled[LOCKS_MAX + 2];
        while ((rc = sd_bus_process(stand->bus, NULL)) > 0) {
        }
        if (rc < 0)
            break;
        for (size_t i = 0; i < LOCKS_MAX; i++)
            polled[i] = (struct pollfd){.fd = stand->locks[i].fd};
        int events = sd_bus_get_events(stand->bus);
        polled[LOCKS_MAX] = (struct pollfd){.fd = sd_bus_get_fd(stand->bus), .events = (short)events};
        polled[LOCKS_MAX + 1] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
        if (poll(polled, LOCKS_MAX + 2, -1) < 0)
            break;
        look_at_locks(stand, polled);
        more = !polled[LOCKS_MAX + 1].revents || obey(stand);
    }
    return rc;
}

int main(void) {
    struct stand stand = {.bus = NULL};
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < LOCKS_MAX; i++)
        stand.locks[i].fd = -1;
    int rc = serve(&stand);
    if (rc < 0)
        (void)fprintf(stderr, "logind_stand: %s\n", strerror(-rc));
    sd_bus_flush_close_unref(stand.bus);
    return rc < 0 ? 1 : 0;
}
