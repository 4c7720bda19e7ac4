/* A child process that listens on a loopback port and answers as a table says. */
#ifndef SALLYPORT_TESTS_PROBE_FAKE_SERVER_H
#define SALLYPORT_TESTS_PROBE_FAKE_SERVER_H

#include "fixture.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "sallyport/base/loop.h"

/* The answer to a request that begins so; request "" answers before anything was said, answer NULL says nothing and
 * keeps the connection. The table ends with request NULL: what is not in it is closed. */
struct fake_page {
    const char *request;
    const char *answer;
};

struct fake {
    pid_t pid;
    uint16_t port;
    uint64_t inode;
};

static inline void fake_say(int fd, const char *text) {
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

/* True when the connection is to be kept open. */
static inline bool fake_answer(int fd, const struct fake_page *pages) {
    char request[512] = "";
    if (pages->request != NULL && pages->request[0] != '\0' && read(fd, request, sizeof request - 1) <= 0)
        return false;
    for (; pages->request != NULL; pages++) {
        if (strncmp(request, pages->request, strlen(pages->request)) != 0)
            continue;
        if (pages->answer == NULL)
            return true;
        fake_say(fd, pages->answer);
        return false;
    }
    return false;
}

static inline void fake_serve(int listening, const struct fake_page *pages) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int fd = accept(listening, NULL, NULL);
        if (fd < 0)
            _exit(1);
        if (!fake_answer(fd, pages)) {
            char rest[512];
            (void)shutdown(fd, SHUT_WR);
            while (read(fd, rest, sizeof rest) > 0)
                continue;
            close(fd);
        }
    }
}

/* Port 0: any free one. */
static inline void fake_start(struct fake *fake, uint16_t port, const struct fake_page *pages) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    struct stat info;
    int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(fstat(fd, &info), 0);
    fake->port = ntohs(address.sin_port);
    fake->inode = info.st_ino;
    fake->pid = fork();
    assert_true(fake->pid >= 0);
    if (fake->pid == 0)
        fake_serve(fd, pages);
    close(fd);
}

static inline void fake_stop(struct fake *fake) {
    assert_int_equal(kill(fake->pid, SIGKILL), 0);
    assert_int_equal(waitpid(fake->pid, NULL, 0), fake->pid);
}

/* Turns the loop until the test stops it; fails after that time. */
struct patience {
    struct loop *loop;
    struct loop_timer timer;
    bool over;
};

static inline void patience_over(void *ctx) {
    struct patience *patience = ctx;
    patience->over = true;
    loop_stop(patience->loop);
}

static inline void run_within(struct loop *loop, uint64_t ms) {
    struct patience patience = {.loop = loop};
    loop_timer_init(loop, &patience.timer, patience_over, &patience);
    assert_int_equal(loop_timer_set(&patience.timer, ms), 0);
    assert_int_equal(loop_run(loop), 0);
    loop_timer_stop(&patience.timer);
    assert_false(patience.over);
}

/* Turns it for that time. */
static inline void run_for(struct loop *loop, uint64_t ms) {
    struct patience patience = {.loop = loop};
    loop_timer_init(loop, &patience.timer, patience_over, &patience);
    assert_int_equal(loop_timer_set(&patience.timer, ms), 0);
    assert_int_equal(loop_run(loop), 0);
    loop_timer_stop(&patience.timer);
}

#endif
