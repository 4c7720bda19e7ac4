#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "sallyport/base/err.h"

static const int stops[] = {SIGINT, SIGTERM, SIGHUP};

/* A signal that is ignored when it comes may be dropped though it is blocked: so SIGCHLD has a handler. */
static void do_nothing(int signo) {
    (void)signo;
}

void watch_init(struct watch *watch) {
    struct sigaction action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
    *watch = (struct watch){0};
    (void)sigemptyset(&watch->signals);
    (void)sigaddset(&watch->signals, SIGCHLD);
    (void)sigaddset(&watch->signals, SIGALRM);
    (void)sigaddset(&watch->signals, WATCH_READY);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        (void)sigaddset(&watch->signals, stops[i]);
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGCHLD, &action, NULL);
    (void)sigprocmask(SIG_BLOCK, &watch->signals, &watch->before);
}

void watch_fini(struct watch *watch) {
    for (size_t i = 0; i < WATCH_MAX; i++)
        watch_end(watch, abs(watch->programs[i]));
    (void)sigprocmask(SIG_SETMASK, &watch->before, NULL);
}

static pid_t *find_program(struct watch *watch, pid_t pid) {
    for (size_t i = 0; i < WATCH_MAX; i++)
        if (abs(watch->programs[i]) == pid)
            return &watch->programs[i];
    return NULL;
}

pid_t watch_fork(struct watch *watch, bool group) {
    pid_t *place = find_program(watch, 0);
    if (!place)
        return SP_EBUSY;
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        return SP_ESYS;
    /* Both do it: whoever comes first, the group is there before it is needed. */
    if (group)
        (void)setpgid(pid, pid);
    if (pid > 0) {
        *place = group ? -pid : pid;
        return pid;
    }
    (void)signal(SIGCHLD, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &watch->before, NULL);
    return 0;
}

pid_t watch_start(struct watch *watch, const struct words *words) {
    pid_t pid = watch_fork(watch, false);
    if (pid != 0)
        return pid;
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0)
        (void)process_exec(words);
    (void)fprintf(stderr, "sallyport: cannot run %s: %s\n", words->items[0], strerror(errno));
    _exit(127);
}

/* Takes the end of a program of ours, if one has ended. */
static bool take_ended(struct watch *watch, pid_t *ended, int *status) {
    for (size_t i = 0; i < WATCH_MAX; i++) {
        pid_t pid = abs(watch->programs[i]);
        if (pid == 0 || waitpid(pid, status, WNOHANG) != pid)
            continue;
        /* What it had started may be left, and would hold a connection. */
        if (watch->programs[i] < 0)
            (void)kill(-pid, SIGTERM);
        watch->programs[i] = 0;
        *ended = pid;
        return true;
    }
    return false;
}

/* Ctrl-C ends the programs, too: then their end is no news. */
static bool is_stopped(void) {
    sigset_t pending;
    bool stopped = false;
    (void)sigpending(&pending);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        stopped = stopped || sigismember(&pending, stops[i]) == 1;
    return stopped;
}

enum watch_event watch_next(struct watch *watch, unsigned seconds, pid_t *ended, int *status) {
    enum watch_event event = WATCH_STOPPED;
    int signo = 0;
    (void)alarm(seconds);
    while (!watch->stopped) {
        /* One SIGCHLD may stand for several that have ended. */
        if (!is_stopped() && take_ended(watch, ended, status)) {
            if (is_stopped())
                continue;
            event = WATCH_ENDED;
            break;
        }
        if (sigwait(&watch->signals, &signo) != 0 || signo == SIGCHLD)
            continue;
        if (signo == WATCH_READY || signo == SIGALRM) {
            event = signo == SIGALRM ? WATCH_LATE : WATCH_IS_READY;
            break;
        }
        watch->stopped = true;
    }
    (void)alarm(0);
    return event;
}

void watch_end(struct watch *watch, pid_t pid) {
    pid_t *place = pid > 0 ? find_program(watch, pid) : NULL;
    if (!place)
        return;
    (void)kill(*place, SIGTERM);
    (void)kill(*place, SIGCONT); /* a stopped one hears nothing else */
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    *place = 0;
}
