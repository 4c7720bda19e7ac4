#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "sallyport/base/os.h"

enum { CHUNK = 16384, NOT_STARTED = 127 };

/* What we ignore for ourselves is no business of other programs. */
static void process_become(const struct words *words) {
    (void)signal(SIGPIPE, SIG_DFL);
    (void)execvp(words->items[0], words->items);
}

/* In the child. The source may be the target itself: then it only loses its close-on-exec. */
static int child_stream(int from, int target) {
    if (from == PROCESS_OURS)
        return 0;
    int fd = from == PROCESS_NULL ? open("/dev/null", O_RDWR | O_CLOEXEC) : from;
    if (fd < 0)
        return SP_ESYS;
    if (fd == target)
        return fcntl(fd, F_SETFD, 0) < 0 ? SP_ESYS : 0;
    return dup2(fd, target) < 0 ? SP_ESYS : 0;
}

int process_start(const struct words *words, int in, int out, int err, pid_t *pid) {
    if (words->rc || words->count == 0)
        return words->rc ? words->rc : SP_EINVAL;
    pid_t child = fork();
    if (child < 0)
        return SP_ESYS;
    if (child == 0) {
        if (!child_stream(in, STDIN_FILENO) && !child_stream(out, STDOUT_FILENO) && !child_stream(err, STDERR_FILENO))
            process_become(words);
        _exit(NOT_STARTED);
    }
    *pid = child;
    return 0;
}

int process_wait(pid_t pid, int *status) {
    int raw = 0;
    while (waitpid(pid, &raw, 0) < 0) {
        if (errno != EINTR)
            return SP_ESYS;
    }
    *status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
    return 0;
}

int process_run(const struct words *words, int *status) {
    pid_t pid;
    int rc = process_start(words, PROCESS_OURS, PROCESS_OURS, PROCESS_OURS, &pid);
    return rc ? rc : process_wait(pid, status);
}

void process_forget(const int *keep, size_t count) {
    enum { DESCRIPTORS_MAX = 1024 };
    for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS_MAX; fd++) {
        bool kept = false;
        for (size_t i = 0; i < count; i++)
            kept = kept || keep[i] == fd;
        if (!kept)
            (void)close(fd);
    }
    int null = open("/dev/null", O_RDWR);
    for (int i = STDIN_FILENO; null >= 0 && i <= STDERR_FILENO; i++)
        (void)dup2(null, i);
    if (null > STDERR_FILENO)
        (void)close(null);
}

int process_exec(const struct words *words) {
    if (words->rc || words->count == 0)
        return words->rc ? words->rc : SP_EINVAL;
    process_become(words);
    return SP_ESYS;
}

/* Our ends of the three pipes; -1 when closed. */
struct talk_pipes {
    int in, out, err;
};

static void talk_close(int *fd) {
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static int talk_write(struct talk_pipes *pipes, const struct process_talk *talk, size_t *sent) {
    ssize_t n = write(pipes->in, (const char *)talk->input + *sent, talk->n - *sent);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n > 0)
        *sent += (size_t)n;
    if (n < 0 || *sent == talk->n)
        talk_close(&pipes->in); /* a program that wants no more input is no failure of ours */
    return 0;
}

static int talk_read(int *fd, struct buf *to, size_t max) {
    uint8_t *tail;
    int rc = buf_reserve(to, CHUNK, &tail);
    if (rc)
        return rc;
    ssize_t n = read(*fd, tail, CHUNK);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : SP_ESYS;
    if (n == 0)
        talk_close(fd);
    buf_commit(to, (size_t)n);
    return buf_len(to) > max ? SP_ETOOBIG : 0;
}

/* Until both outputs have ended. */
static int talk_loop(struct talk_pipes *pipes, const struct process_talk *talk) {
    uint64_t until = os_monotonic_ms() + talk->deadline_ms;
    size_t sent = 0;
    int rc = 0;
    if (talk->n == 0)
        talk_close(&pipes->in);
    while (!rc && (pipes->out >= 0 || pipes->err >= 0)) {
        struct pollfd set[3] = {{.fd = pipes->in, .events = POLLOUT},
                                {.fd = pipes->out, .events = POLLIN},
                                {.fd = pipes->err, .events = POLLIN}};
        uint64_t now = os_monotonic_ms();
        if (now >= until)
            return SP_ETIMEOUT;
        if (poll(set, 3, (int)(until - now)) < 0 && errno != EINTR)
            return SP_ESYS;
        if (set[0].fd >= 0 && set[0].revents)
            rc = talk_write(pipes, talk, &sent);
        if (!rc && set[1].fd >= 0 && set[1].revents)
            rc = talk_read(&pipes->out, talk->out, talk->max);
        if (!rc && set[2].fd >= 0 && set[2].revents)
            rc = talk_read(&pipes->err, talk->err, talk->max);
    }
    return rc;
}

static int talk_pipe(int fds[static 2], int ours) {
    if (pipe(fds) < 0)
        return SP_ESYS;
    (void)fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(fds[1], F_SETFD, FD_CLOEXEC);
    return os_nonblocking(fds[ours]);
}

int process_talk(const struct words *words, const struct process_talk *talk, int *status) {
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
    pid_t pid;
    int rc = talk_pipe(in, 1);
    if (!rc)
        rc = talk_pipe(out, 0);
    if (!rc && talk->err)
        rc = talk_pipe(err, 0);
    if (!rc)
        rc = process_start(words, in[0], out[1], talk->err ? err[1] : PROCESS_OURS, &pid);
    talk_close(&in[0]);
    talk_close(&out[1]);
    talk_close(&err[1]);
    struct talk_pipes pipes = {.in = in[1], .out = out[0], .err = err[0]};
    if (!rc) {
        rc = talk_loop(&pipes, talk);
        if (rc)
            (void)kill(pid, SIGTERM);
        int waited = process_wait(pid, status);
        rc = rc ? rc : waited;
    }
    talk_close(&pipes.in);
    talk_close(&pipes.out);
    talk_close(&pipes.err);
    return rc;
}
