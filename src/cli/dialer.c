/* The relay by its name: looked up by a child, since getaddrinfo takes its time, while the address where it was last time
 * is tried already. By a child and not by a thread, because this program forks: locks that a thread holds at that moment
 * are never released in the copy. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net.h"
#include "process.h"
#include "sallyport/base/os.h"

/* What the child has found; goes through the pipe in one piece. */
struct lookup {
    int error; /* of getaddrinfo */
    size_t count;
    struct net_address list[DIALER_MAX];
};

/* The families take turns, beginning with what the system prefers (RFC 8305 section 4). */
static void lookup_take(struct lookup *lookup, const struct addrinfo *found) {
    const struct addrinfo *next[2] = {found, found};
    int family[2] = {found->ai_family, found->ai_family == AF_INET ? AF_INET6 : AF_INET};
    for (int turn = 0; lookup->count < DIALER_MAX && (next[0] || next[1]); turn = !turn) {
        while (next[turn] && next[turn]->ai_family != family[turn])
            next[turn] = next[turn]->ai_next;
        if (!next[turn])
            continue;
        struct net_address *to = &lookup->list[lookup->count++];
        to->len = next[turn]->ai_addrlen;
        memcpy(&to->at, next[turn]->ai_addr, to->len);
        next[turn] = next[turn]->ai_next;
    }
}

int net_lookup(const char *host, uint16_t port, int family, struct net_address *out) {
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    char service[8];
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    if (getaddrinfo(host, service, &hints, &found))
        return SP_ENOENT;
    out->len = found->ai_addrlen;
    memcpy(&out->at, found->ai_addr, out->len);
    freeaddrinfo(found);
    return 0;
}

static void lookup_run(const char *host, uint16_t port, int fd) {
    struct lookup lookup = {.error = 0};
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    char service[8];
    process_forget(&fd, 1);
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    lookup.error = getaddrinfo(host, service, &hints, &found);
    if (!lookup.error)
        lookup_take(&lookup, found);
    _exit(write(fd, &lookup, sizeof lookup) == (ssize_t)sizeof lookup ? 0 : 1);
}

/* SP_ESYS. */
static int lookup_start(const char *host, uint16_t port, pid_t *helper, int *fd) {
    int pipes[2];
    if (pipe(pipes))
        return SP_ESYS;
    (void)fcntl(pipes[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(pipes[1], F_SETFD, FD_CLOEXEC);
    pid_t child = fork();
    if (child == 0)
        lookup_run(host, port, pipes[1]);
    (void)close(pipes[1]);
    if (child < 0) {
        (void)close(pipes[0]);
        return SP_ESYS;
    }
    *helper = child;
    *fd = pipes[0];
    return 0;
}

static void dialer_add(struct dialer *dialer, const struct net_address *address) {
    for (size_t i = 0; i < dialer->count; i++) {
        if (dialer->list[i].len == address->len && memcmp(&dialer->list[i].at, &address->at, address->len) == 0)
            return;
    }
    if (dialer->count < DIALER_MAX)
        dialer->list[dialer->count++] = *address;
}

void dialer_init(struct dialer *dialer, const char *host, uint16_t port, const char *hint) {
    struct net_address address;
    uint64_t now = os_monotonic_ms();
    *dialer = (struct dialer){.lookup = -1, .next_at = now, .until = now + DIALER_MS};
    for (size_t i = 0; i < DIALER_MAX; i++)
        dialer->fds[i] = -1;
    if (net_parse(host, port, &address) == 0) {
        dialer_add(dialer, &address);
        return;
    }
    if (hint[0] && net_parse(hint, port, &address) == 0)
        dialer_add(dialer, &address);
    if (lookup_start(host, port, &dialer->helper, &dialer->lookup))
        dialer->lookup_error = EAI_SYSTEM;
}

static void dialer_drop(struct dialer *dialer) {
    for (size_t i = 0; i < DIALER_MAX; i++)
        net_close(&dialer->fds[i]);
}

static void dialer_forget(struct dialer *dialer) {
    if (dialer->helper > 0) {
        (void)kill(dialer->helper, SIGKILL);
        (void)waitpid(dialer->helper, NULL, 0);
    }
    dialer->helper = 0;
    net_close(&dialer->lookup);
}

void dialer_fini(struct dialer *dialer) {
    dialer_drop(dialer);
    dialer_forget(dialer);
}

static void dialer_look(struct dialer *dialer) {
    struct pollfd set = {.fd = dialer->lookup, .events = POLLIN};
    struct lookup lookup;
    if (dialer->lookup < 0 || poll(&set, 1, 0) <= 0)
        return;
    if (read(dialer->lookup, &lookup, sizeof lookup) == (ssize_t)sizeof lookup) {
        for (size_t i = 0; i < lookup.count && i < DIALER_MAX; i++)
            dialer_add(dialer, &lookup.list[i]);
        dialer->lookup_error = lookup.error;
    } else {
        dialer->lookup_error = EAI_AGAIN;
    }
    dialer_forget(dialer);
}

/* The first that is connected; -1 when none is yet. */
static int dialer_ready(struct dialer *dialer, bool *pending) {
    for (size_t i = 0; i < dialer->begun; i++) {
        if (dialer->fds[i] < 0)
            continue;
        int rc = net_connected(dialer->fds[i]);
        if (rc == 0)
            return (int)i;
        if (rc == SP_EAGAIN) {
            *pending = true;
            continue;
        }
        dialer->error = errno;
        net_close(&dialer->fds[i]);
    }
    return -1;
}

int dialer_step(struct dialer *dialer, int *fd, struct net_address *address) {
    uint64_t now = os_monotonic_ms();
    bool pending = false;
    dialer_look(dialer);
    int ready = dialer_ready(dialer, &pending);
    while (ready < 0 && dialer->begun < dialer->count && (!pending || now >= dialer->next_at)) {
        size_t i = dialer->begun++;
        if (net_connect(&dialer->list[i], &dialer->fds[i]))
            dialer->error = errno;
        else
            pending = true;
        dialer->next_at = now + DIALER_NEXT_MS;
    }
    if (ready >= 0) {
        *fd = dialer->fds[ready];
        *address = dialer->list[ready];
        dialer->fds[ready] = -1;
        dialer_fini(dialer);
        return 0;
    }
    if (now >= dialer->until) {
        dialer->error = dialer->error ? dialer->error : ETIMEDOUT;
        return SP_ETIMEOUT;
    }
    if (pending || dialer->lookup >= 0)
        return SP_EAGAIN;
    return dialer->count == 0 ? SP_ENOENT : SP_ECLOSED;
}

void dialer_wait(const struct dialer *dialer, struct net_waits *waits) {
    net_wait_fd(waits, dialer->lookup, POLLIN);
    for (size_t i = 0; i < dialer->begun; i++)
        net_wait_fd(waits, dialer->fds[i], POLLOUT);
    if (dialer->begun < dialer->count)
        net_wait_until(waits, dialer->next_at);
    net_wait_until(waits, dialer->until);
}

const char *dialer_reason(const struct dialer *dialer) {
    if (dialer->count == 0 && dialer->lookup >= 0)
        return "its name is still being looked up: is this machine online?";
    if (dialer->count == 0)
        return gai_strerror(dialer->lookup_error ? dialer->lookup_error : EAI_NONAME);
    return strerror(dialer->error);
}
