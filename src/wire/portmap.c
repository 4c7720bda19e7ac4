#include "sallyport/wire/portmap.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "portmap_local.h"
#include "sallyport/base/helper.h"

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

/* Starts the child with its request; both are undone on failure. */
static int portmap_spawn(const struct portmap_message *message, struct helper *child) {
    struct helper helper;
    int rc = helper_start("portmap-worker", NULL, NULL, &helper);
    if (rc != 0)
        return rc;
    if (send(helper.socket, message, sizeof *message, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof *message) {
        helper_stop(&helper);
        return SP_ESYS;
    }
    *child = helper;
    return 0;
}

int portmap_start(struct loop *loop, const struct portmap_request *request, uint64_t deadline_ms,
                  void (*done)(void *ctx, const struct portmap_result *result), void *ctx, struct portmap **out) {
    struct portmap_message message;
    struct helper child;
    struct portmap *portmap = calloc(1, sizeof *portmap);
    if (!portmap)
        return SP_ENOMEM;
    portmap->request = *request;
    portmap->done = done;
    portmap->ctx = ctx;
    loop_fd_init(&portmap->exited);
    loop_timer_init(loop, &portmap->deadline, portmap_late, portmap);
    memset(&message, 0, sizeof message);
    message.deadline_ms = deadline_ms < UINT32_MAX ? (uint32_t)deadline_ms : UINT32_MAX;
    message.request = *request;
    int rc = portmap_spawn(&message, &child);
    if (rc != 0) {
        free(portmap);
        return rc;
    }
    rc = loop_fd_add(loop, &portmap->exited, child.pidfd, EPOLLIN, portmap_exited, portmap);
    if (rc == 0)
        rc = loop_timer_set(&portmap->deadline, deadline_ms);
    if (rc != 0) {
        loop_fd_remove(&portmap->exited);
        helper_stop(&child);
        free(portmap);
        return rc;
    }
    portmap->pid = child.pid;
    portmap->socket = child.socket;
    *out = portmap;
    return 0;
}

void portmap_cancel(struct portmap *portmap) {
    if (portmap)
        portmap_abandon(portmap);
}
