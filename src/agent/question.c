#include "question.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/wire/socket_line.h"

enum { PATIENCE_MS = 15000, TEXT_SIZE = 256 };

struct question {
    struct question_config config;
    struct loop_fd watch;
    struct loop_timer late;
    struct buf line; /* to be said, once it is connected */
    size_t n;
    uint8_t answer[DOOR_LINE_MAX];
};

void question_cancel(struct question *question) {
    if (!question)
        return;
    int fd = question->watch.fd;
    loop_fd_remove(&question->watch);
    if (fd >= 0)
        (void)close(fd);
    loop_timer_stop(&question->late);
    buf_wipe(&question->line);
    free(question);
}

static void question_finish(struct question *question, int rc, const char *text) {
    struct question_config config = question->config;
    int fd = -1;
    if (rc == 0) {
        fd = question->watch.fd;
        loop_fd_remove(&question->watch);
    }
    question_cancel(question);
    config.done(config.ctx, rc, fd, text);
}

static void question_late(void *ctx) {
    question_finish(ctx, SP_ETIMEOUT, "");
}

static void question_heard(struct question *question) {
    struct door_answer answer;
    size_t used;
    int rc = socket_line_read(question->watch.fd, question->answer, sizeof question->answer, &question->n);
    if (rc == SP_EAGAIN)
        return;
    if (rc == 0)
        rc = door_answer_parse(question->answer, question->n, &answer, &used);
    if (rc != 0) {
        question_finish(question, rc == SP_ETOOBIG || rc == SP_EAGAIN ? SP_EFORMAT : rc, "");
        return;
    }
    char text[TEXT_SIZE] = "";
    if (answer.len < sizeof text)
        memcpy(text, answer.text, answer.len);
    text[answer.len < sizeof text ? answer.len : 0] = '\0';
    question_finish(question, answer.ok ? 0 : SP_EDENIED, text);
}

static void question_ready(void *ctx, uint32_t events) {
    (void)events;
    struct question *question = ctx;
    size_t n = buf_len(&question->line);
    if (n == 0) {
        question_heard(question);
        return;
    }
    ssize_t sent = send(question->watch.fd, buf_head(&question->line), n, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (sent < 0) {
        question_finish(question, SP_ECLOSED, "");
        return;
    }
    if ((size_t)sent < n) {
        buf_consume(&question->line, (size_t)sent);
        return;
    }
    buf_wipe(&question->line);
    if (loop_fd_set(&question->watch, EPOLLIN) < 0)
        question_finish(question, SP_ESYS, "");
}

socklen_t question_address_size(const struct sockaddr_storage *address) {
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

int question_socket(int family, bool shared, const struct sockaddr_storage *from) {
    int on = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    struct sockaddr_storage any = {.ss_family = (sa_family_t)family};
    const struct sockaddr_storage *local = from ? from : &any;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (shared && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
                   setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0 ||
                   bind(fd, (const struct sockaddr *)local, question_address_size(local)) < 0)) {
        int error = errno;
        (void)close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int question_new(const struct question_config *config, struct question **out) {
    struct question *question = calloc(1, sizeof *question);
    if (!question)
        return SP_ENOMEM;
    question->config = *config;
    buf_init(&question->line);
    loop_fd_init(&question->watch);
    loop_timer_init(config->loop, &question->late, question_late, question);
    int fd = -1;
    int rc = door_line_format(&question->line, config->mode, config->ticket);
    if (rc == 0) {
        fd = question_socket(config->to.ss_family, config->shared, NULL);
        rc = fd < 0 ? SP_ESYS : 0;
    }
    if (rc == 0 && connect(fd, (const struct sockaddr *)&config->to, question_address_size(&config->to)) < 0 &&
        errno != EINPROGRESS)
        rc = SP_ECLOSED;
    if (rc == 0)
        rc = loop_fd_add(config->loop, &question->watch, fd, EPOLLOUT, question_ready, question);
    if (rc == 0)
        rc = loop_timer_set(&question->late, PATIENCE_MS);
    if (rc < 0) {
        if (fd >= 0 && question->watch.fd < 0)
            (void)close(fd);
        question_cancel(question);
        return rc;
    }
    *out = question;
    return 0;
}
