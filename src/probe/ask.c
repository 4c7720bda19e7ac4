#include "sallyport/probe/ask.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

struct ask {
    struct loop_fd watch;
    struct loop_timer timer;
    struct buf answer;
    size_t answer_max;
    const char *request; /* what is left to say; NULL when all is said */
    bool (*enough)(const char *answer, size_t len);
    void (*answered)(void *ctx, const char *answer, size_t len, bool timed_out);
    void *ctx;
    int fd;
};

/* The last thing done with an ask by this file: `answered` may free it. */
static void ask_finish(struct ask *ask, bool timed_out) {
    loop_fd_remove(&ask->watch);
    loop_timer_stop(&ask->timer);
    if (ask->fd >= 0)
        close(ask->fd);
    ask->fd = -1;
    const uint8_t *head = buf_head(&ask->answer);
    ask->answered(ask->ctx, head == NULL ? "" : (const char *)head, buf_len(&ask->answer), timed_out);
}

static void ask_expired(void *ctx) {
    struct ask *ask = ctx;
    ask_finish(ask, ask->fd >= 0);
}

/* False when the other side is gone. */
static bool ask_say(struct ask *ask) {
    while (*ask->request != '\0') {
        ssize_t n = send(ask->fd, ask->request, strlen(ask->request), MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        ask->request += n;
    }
    ask->request = NULL;
    return loop_fd_set(&ask->watch, EPOLLIN) == 0;
}

/* False when the answer is over, or enough of it is there. */
static bool ask_hear(struct ask *ask) {
    while (buf_len(&ask->answer) < ask->answer_max) {
        uint8_t *tail;
        size_t room = ask->answer_max - buf_len(&ask->answer);
        if (room > 2048)
            room = 2048;
        if (buf_reserve(&ask->answer, room, &tail) != 0)
            return false;
        ssize_t n = recv(ask->fd, tail, room, 0);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0)
            return false;
        buf_commit(&ask->answer, (size_t)n);
        if (ask->enough != NULL && ask->enough((const char *)buf_head(&ask->answer), buf_len(&ask->answer)))
            return false;
    }
    return false;
}

static void ask_ready(void *ctx, uint32_t events) {
    struct ask *ask = ctx;
    bool more = true;
    if (ask->request != NULL && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0)
        more = ask_say(ask);
    if (more && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0)
        more = ask_hear(ask);
    if (!more)
        ask_finish(ask, false);
}

static int ask_address(const struct ask_question *question, struct sockaddr_storage *to, socklen_t *len) {
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(question->port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(question->port)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    if (question->socket_path != NULL) {
        if (str_copy(local.sun_path, sizeof local.sun_path, question->socket_path) != 0)
            return SP_EINVAL;
        memcpy(to, &local, sizeof local);
        *len = sizeof local;
    } else if (inet_pton(AF_INET, question->host, &four.sin_addr) == 1) {
        memcpy(to, &four, sizeof four);
        *len = sizeof four;
    } else if (inet_pton(AF_INET6, question->host, &six.sin6_addr) == 1) {
        memcpy(to, &six, sizeof six);
        *len = sizeof six;
    } else {
        return SP_EINVAL;
    }
    return 0;
}

int ask_new(struct loop *loop, const struct ask_question *question,
            void (*answered)(void *ctx, const char *answer, size_t len, bool timed_out), void *ctx, struct ask **out) {
    struct sockaddr_storage to;
    socklen_t to_len = 0;
    int rc = ask_address(question, &to, &to_len);
    if (rc != 0)
        return rc;

    struct ask *ask = calloc(1, sizeof *ask);
    if (ask == NULL)
        return SP_ENOMEM;
    loop_fd_init(&ask->watch);
    loop_timer_init(loop, &ask->timer, ask_expired, ask);
    buf_init(&ask->answer);
    ask->answer_max = question->answer_max != 0 ? question->answer_max : ASK_MAX;
    ask->request = question->request;
    ask->enough = question->enough;
    ask->answered = answered;
    ask->ctx = ctx;
    ask->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (ask->fd < 0) {
        rc = SP_ESYS;
        goto out;
    }
    unsigned timeout = question->timeout_ms;
    if (connect(ask->fd, (struct sockaddr *)&to, to_len) != 0 && errno != EINPROGRESS) {
        close(ask->fd); /* refused at once: said so from the loop, by the timer */
        ask->fd = -1;
        timeout = 0;
    } else {
        rc = loop_fd_add(loop, &ask->watch, ask->fd, EPOLLIN | (ask->request == NULL ? 0U : (uint32_t)EPOLLOUT),
                         ask_ready, ask);
        if (rc != 0)
            goto out;
    }
    rc = loop_timer_set(&ask->timer, timeout);
    if (rc != 0)
        goto out;
    *out = ask;
    return 0;
out:
    ask_free(ask);
    return rc;
}

void ask_free(struct ask *ask) {
    if (ask == NULL)
        return;
    loop_fd_remove(&ask->watch);
    loop_timer_stop(&ask->timer);
    if (ask->fd >= 0)
        close(ask->fd);
    buf_fini(&ask->answer);
    free(ask);
}
