#include "sallyport/wire/portmap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "portmap_local.h"

/* A child and the request that it answers. `done` is NULL when nobody waits for it any more: it was killed then, and
 * what is left to do is to reap it. */
struct portmap {
    struct portmap_request request;
    pid_t pid;
    int socket;
    struct loop_fd exited; /* a pidfd */
    struct loop_timer deadline;
    struct loop_ending ending;
    void (*done)(void *ctx, const struct portmap_result *result);
    void *ctx;
};

static void portmap_free(struct portmap *portmap) {
    int fd = portmap->exited.fd;
    loop_timer_stop(&portmap->deadline);
    loop_fd_remove(&portmap->exited);
    if (fd >= 0)
        (void)close(fd);
    if (portmap->socket >= 0)
        (void)close(portmap->socket);
    free(portmap);
}

/* What is said of a child that brought no answer. */
static void portmap_broken(const struct portmap *portmap, const char *trouble, struct portmap_result *result) {
    *result = (struct portmap_result){.outcome = PORTMAP_BROKEN, .memory = portmap->request.memory};
    portmap_say(result, "%s", trouble);
}

static void portmap_exited(void *ctx, uint32_t events) {
    struct portmap *portmap = ctx;
    struct portmap_result result;
    char bytes[sizeof result + 1];
    int status = 0;
    (void)events;
    if (waitpid(portmap->pid, &status, WNOHANG) == 0)
        return;
    if (!portmap->done) {
        loop_ending_remove(&portmap->ending);
        portmap_free(portmap);
        return;
    }
    ssize_t n = recv(portmap->socket, bytes, sizeof bytes, MSG_DONTWAIT);
    if (WIFEXITED(status) && WEXITSTATUS(status) == PORTMAP_EXIT_SANDBOX)
        portmap_broken(portmap, "this system does not let the port mapper be locked in: routers are not asked",
                       &result);
    else if (n <= 0)
        portmap_broken(portmap, "what the router answered made the port mapper fail: it was ended", &result);
    else if (portmap_result_read(&portmap->request, bytes, (size_t)n, &result) != 0)
        portmap_broken(portmap, "the router's answers make no sense", &result);
    void (*done)(void *ctx, const struct portmap_result *result) = portmap->done;
    void *done_ctx = portmap->ctx;
    portmap_free(portmap);
    done(done_ctx, &result);
}

/* The loop ends before the child, which was killed: it needs no more than a moment. */
static void portmap_ended(void *ctx) {
    struct portmap *portmap = ctx;
    while (waitpid(portmap->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    portmap_free(portmap);
}

/* Kills the child, and leaves it to the loop. */
static void portmap_abandon(struct portmap *portmap) {
    struct loop *loop = portmap->exited.loop;
    portmap->done = NULL;
    loop_timer_stop(&portmap->deadline);
    (void)kill(portmap->pid, SIGKILL);
    loop_ending_add(loop, &portmap->ending, portmap_ended, portmap);
}

static void portmap_late(void *ctx) {
    struct portmap *portmap = ctx;
    struct portmap_result result;
    void (*done)(void *ctx, const struct portmap_result *result) = portmap->done;
    void *done_ctx = portmap->ctx;
    portmap_broken(portmap, "the router took too long to answer", &result);
    portmap_abandon(portmap);
    done(done_ctx, &result);
}

/* In the child, after fork: only what is safe there. Its standard error is thrown away: the libraries complain on it,
 * and without one they would complain to whatever socket gets the number. */
static void portmap_exec(int socket_fd, int nowhere) {
    static char name[] = "sallyport-agent", verb[] = "portmap-worker";
    char *const argv[] = {name, verb, NULL};
    char *const environment[] = {NULL};
    sigset_t none;
    if (sigemptyset(&none) != 0 || sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        _exit(127);
    /* Away from 0 to 2 first, where they may lie already. */
    int from = fcntl(socket_fd, F_DUPFD_CLOEXEC, 3), waste = fcntl(nowhere, F_DUPFD_CLOEXEC, 3);
    if (from < 0 || waste < 0 || dup2(from, 0) < 0 || dup2(from, 1) < 0 || dup2(waste, 2) < 0 ||
        close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
        _exit(127);
    execve("/proc/self/exe", argv, environment);
    _exit(127);
}

/* Starts the child with its request. *ours and *pidfd belong to the caller. */
static int portmap_spawn(const struct portmap_message *message, int *ours, pid_t *pid, int *pidfd) {
    int pair[2];
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0)
        return SP_ESYS;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        (void)close(nowhere);
        return SP_ESYS;
    }
    int rc =
        send(pair[0], message, sizeof *message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof *message ? 0 : SP_ESYS;
    pid_t child = rc == 0 ? fork() : -1;
    if (child == 0)
        portmap_exec(pair[1], nowhere);
    int watch = child > 0 ? pidfd_open(child, 0) : -1;
    if (child > 0 && watch < 0) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
    }
    (void)close(nowhere);
    (void)close(pair[1]);
    if (watch < 0) {
        (void)close(pair[0]);
        return SP_ESYS;
    }
    *ours = pair[0];
    *pid = child;
    *pidfd = watch;
    return 0;
}

int portmap_start(struct loop *loop, const struct portmap_request *request, uint64_t deadline_ms,
                  void (*done)(void *ctx, const struct portmap_result *result), void *ctx, struct portmap **out) {
    struct portmap_message message;
    int pidfd;
    struct portmap *portmap = calloc(1, sizeof *portmap);
    if (!portmap)
        return SP_ENOMEM;
    portmap->request = *request;
    portmap->socket = -1;
    portmap->done = done;
    portmap->ctx = ctx;
    loop_fd_init(&portmap->exited);
    loop_timer_init(loop, &portmap->deadline, portmap_late, portmap);
    memset(&message, 0, sizeof message);
    message.deadline_ms = deadline_ms < UINT32_MAX ? (uint32_t)deadline_ms : UINT32_MAX;
    message.request = *request;
    int rc = portmap_spawn(&message, &portmap->socket, &portmap->pid, &pidfd);
    if (rc != 0) {
        free(portmap);
        return rc;
    }
    rc = loop_fd_add(loop, &portmap->exited, pidfd, EPOLLIN, portmap_exited, portmap);
    if (rc == 0)
        rc = loop_timer_set(&portmap->deadline, deadline_ms);
    if (rc != 0) {
        (void)kill(portmap->pid, SIGKILL);
        (void)waitpid(portmap->pid, NULL, 0);
        if (portmap->exited.fd < 0)
            (void)close(pidfd);
        portmap_free(portmap);
        return rc;
    }
    *out = portmap;
    return 0;
}

void portmap_cancel(struct portmap *portmap) {
    if (portmap)
        portmap_abandon(portmap);
}
