/* A loop on a thread of its own, so that a test can talk to it with plain blocking calls. */
#ifndef SALLYPORT_TESTS_LOOP_THREAD_H
#define SALLYPORT_TESTS_LOOP_THREAD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/base/loop.h"
#include "sallyport/base/os.h"

struct loop_thread {
    struct loop *loop;
    struct loop_fd inbox;
    int give; /* descriptors are written here as numbers; -1 ends the loop */
    pthread_t thread;
    void (*take)(void *ctx, int fd); /* on the loop's thread */
    void *ctx;
};

static inline void loop_thread_inbox(void *ctx, uint32_t events) {
    struct loop_thread *self = ctx;
    int fd;
    (void)events;
    if (read(self->inbox.fd, &fd, sizeof(fd)) != (ssize_t)sizeof(fd)) {
        return;
    }
    if (fd < 0) {
        loop_stop(self->loop);
    } else {
        self->take(self->ctx, fd);
    }
}

static inline void *loop_thread_run(void *ctx) {
    struct loop_thread *self = ctx;
    loop_run(self->loop);
    return NULL;
}

/* Makes the loop; nothing runs yet, so that the test can add to it. */
static inline void loop_thread_init(struct loop_thread *self, void (*take)(void *ctx, int fd), void *ctx) {
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(loop_new(&self->loop), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    self->take = take;
    self->ctx = ctx;
    self->give = ends[1];
    loop_fd_init(&self->inbox);
    assert_int_equal(loop_fd_add(self->loop, &self->inbox, ends[0], EPOLLIN, loop_thread_inbox, self), 0);
}

static inline void loop_thread_start(struct loop_thread *self) {
    assert_int_equal(pthread_create(&self->thread, NULL, loop_thread_run, self), 0);
}

static inline void loop_thread_give(struct loop_thread *self, int fd) {
    assert_int_equal(write(self->give, &fd, sizeof(fd)), sizeof(fd));
}

/* Afterwards the test may touch everything that belonged to the loop, and then call _fini. */
static inline void loop_thread_join(struct loop_thread *self) {
    loop_thread_give(self, -1);
    pthread_join(self->thread, NULL);
}

static inline void loop_thread_fini(struct loop_thread *self) {
    int fd = self->inbox.fd;
    loop_fd_remove(&self->inbox);
    close(fd);
    close(self->give);
    loop_free(self->loop);
}

/* Two ends of a TCP connection over loopback: [0] blocking, for the test; [1] non-blocking, for the code. */
static inline void tcp_pair(int ends[static 2]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    struct timeval patience = {.tv_sec = 20};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(ends[0], (struct sockaddr *)&address, len), 0);
    ends[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(ends[1] >= 0);
    assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    close(listener);
}

#endif
