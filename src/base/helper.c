#include "sallyport/base/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

enum { VERB_SIZE = 64, ARGUMENT_SIZE = 512 };

/* In the child, after fork: only what is safe there. Without a standard error, libraries would complain to whatever
 * socket gets the number. */
static void helper_exec(int socket_fd, int nowhere, char *const argv[], char *const environment[]) {
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

int helper_start(const char *verb, const char *argument, char *const environment[], struct helper *out) {
    char name[] = "sallyport-agent", verb_copy[VERB_SIZE], argument_copy[ARGUMENT_SIZE] = "";
    char *const argv[] = {name, verb_copy, argument ? argument_copy : NULL, NULL};
    char *const empty[] = {NULL};
    int pair[2];
    if (str_copy(verb_copy, sizeof verb_copy, verb) != 0 ||
        (argument && str_copy(argument_copy, sizeof argument_copy, argument) != 0))
        return SP_ETOOBIG;
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0)
        return SP_ESYS;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        (void)close(nowhere);
        return SP_ESYS;
    }
    pid_t child = fork();
    if (child == 0)
        helper_exec(pair[1], nowhere, argv, environment ? environment : empty);
    int watch = child > 0 ? pidfd_open(child, 0) : -1;
    (void)close(nowhere);
    (void)close(pair[1]);
    struct helper helper = {.pid = child, .socket = pair[0], .pidfd = watch};
    if (watch < 0) {
        if (child > 0)
            helper_stop(&helper);
        else
            (void)close(pair[0]);
        return SP_ESYS;
    }
    *out = helper;
    return 0;
}

void helper_stop(struct helper *helper) {
    (void)kill(helper->pid, SIGKILL);
    while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    (void)close(helper->socket);
    if (helper->pidfd >= 0)
        (void)close(helper->pidfd);
}
