#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"

struct command {
    struct loop_fd output_watch, exit_watch;
    struct loop_timer deadline;
    struct loop_ending ending;
    struct buf output;
    size_t output_max;
    pid_t pid;
    int output_fd, pidfd; /* -1: not open */
    bool too_late;
    void (*done)(void *ctx, const struct command_result *result); /* NULL: nobody wants to know any more */
    void *ctx;
};

static void command_free(struct command *command) {
    loop_fd_remove(&command->output_watch);
    loop_fd_remove(&command->exit_watch);
    loop_timer_stop(&command->deadline);
    if (command->output_fd >= 0)
        (void)close(command->output_fd);
    if (command->pidfd >= 0)
        (void)close(command->pidfd);
    buf_fini(&command->output);
    free(command);
}

/* Kills it, and whatever it has started. A program that hangs in the kernel ends when it can. */
static void command_kill(const struct command *command) {
    (void)kill(-command->pid, SIGKILL);
}

/* Takes what is there. False when no more will come, or none is wanted. */
static bool command_hear(struct command *command) {
    for (;;) {
        uint8_t *tail;
        if (buf_len(&command->output) > command->output_max || buf_reserve(&command->output, 4096, &tail) != 0) {
            command_kill(command);
            return false;
        }
        ssize_t n = read(command->output_fd, tail, 4096);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0)
            return false;
        buf_commit(&command->output, (size_t)n);
    }
}

static void command_output(void *ctx, uint32_t events) {
    struct command *command = ctx;
    (void)events;
    if (!command_hear(command))
        loop_fd_remove(&command->output_watch);
}

static void command_exited(void *ctx, uint32_t events) {
    struct command *command = ctx;
    int status;
    (void)events;
    if (waitpid(command->pid, &status, WNOHANG) != command->pid)
        return;
    loop_ending_remove(&command->ending);
    (void)command_hear(command);
    struct command_result result = {.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                                    .too_late = command->too_late,
                                    .output = (const char *)buf_head(&command->output),
                                    .len = buf_len(&command->output)};
    if (result.len > command->output_max)
        result.exit_status = -1;
    if (command->done != NULL)
        command->done(command->ctx, &result);
    command_free(command);
}

static void command_late(void *ctx) {
    struct command *command = ctx;
    command->too_late = true;
    command_kill(command);
}

/* The loop ends before the program does. It was killed; one that hangs in the kernel is left to init. */
static void command_abandon(void *ctx) {
    struct command *command = ctx;
    command_kill(command);
    (void)waitpid(command->pid, NULL, WNOHANG);
    command_free(command);
}

static int spawn(char *const argv[], int output, pid_t *pid) {
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
    char *const environment[] = {path, locale, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    if (posix_spawn_file_actions_init(&files) != 0)
        return SP_ENOMEM;
    if (posix_spawnattr_init(&how) != 0) {
        (void)posix_spawn_file_actions_destroy(&files);
        return SP_ENOMEM;
    }
    int error = posix_spawn_file_actions_adddup2(&files, output, 1);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_addclosefrom_np(&files, 3);
    if (error == 0)
        error = posix_spawnattr_setsigmask(&how, &none);
    if (error == 0)
        error = posix_spawnattr_setsigdefault(&how, &all);
    if (error == 0)
        error = posix_spawnattr_setpgroup(&how, 0);
    if (error == 0)
        error = posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    if (error == 0)
        error = posix_spawn(pid, argv[0], &files, &how, argv, environment);
    (void)posix_spawnattr_destroy(&how);
    (void)posix_spawn_file_actions_destroy(&files);
    errno = error;
    return error == 0 ? 0 : SP_ESYS;
}

/* Starts the program; its output and its end can be watched then. */
static int command_spawn(struct command *command, char *const argv[]) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return SP_ESYS;
    command->output_fd = ends[0];
    int rc = fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 ? spawn(argv, ends[1], &command->pid) : SP_ESYS;
    (void)close(ends[1]);
    if (rc != 0)
        return rc;
    command->pidfd = pidfd_open(command->pid, 0);
    if (command->pidfd < 0) {
        command_kill(command);
        (void)waitpid(command->pid, NULL, 0);
        return SP_ESYS;
    }
    return 0;
}

int command_start(struct loop *loop, char *const argv[], size_t output_max, uint64_t deadline_ms,
                  void (*done)(void *ctx, const struct command_result *result), void *ctx, struct command **out) {
    struct command *command = calloc(1, sizeof *command);
    if (command == NULL)
        return SP_ENOMEM;
    loop_fd_init(&command->output_watch);
    loop_fd_init(&command->exit_watch);
    loop_timer_init(loop, &command->deadline, command_late, command);
    buf_init(&command->output);
    command->output_max = output_max;
    command->output_fd = command->pidfd = -1;
    command->done = done;
    command->ctx = ctx;
    int rc = command_spawn(command, argv);
    if (rc != 0) {
        command_free(command);
        return rc;
    }
    rc = loop_fd_add(loop, &command->exit_watch, command->pidfd, EPOLLIN, command_exited, command);
    if (rc == 0)
        rc = loop_fd_add(loop, &command->output_watch, command->output_fd, EPOLLIN, command_output, command);
    if (rc == 0)
        rc = loop_timer_set(&command->deadline, deadline_ms);
    if (rc != 0) {
        command_kill(command);
        (void)waitpid(command->pid, NULL, 0);
        command_free(command);
        return rc;
    }
    loop_ending_add(loop, &command->ending, command_abandon, command);
    *out = command;
    return 0;
}

void command_cancel(struct command *command) {
    if (command == NULL)
        return;
    command->done = NULL;
    loop_timer_stop(&command->deadline);
    command_kill(command);
}
