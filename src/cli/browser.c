#include "browser.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sallyport/base/str.h"

enum { COMMAND_SIZE = 1024, WORDS_MAX = 16 };

#ifdef __APPLE__
static const char usual[] = "open";

static bool has_display(void) {
    return true;
}
#else
static const char usual[] = "xdg-open";

static bool has_display(void) {
    const char *x = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");
    return (x && x[0]) || (wayland && wayland[0]);
}
#endif

/* Puts the address where "%s" stands; `room` holds the words that had one. */
static void put_url(char **words, size_t count, const char *url, char *room, size_t size) {
    bool put = false;
    for (size_t i = 1; i < count; i++) {
        char *mark = strstr(words[i], "%s");
        if (!mark || put)
            continue;
        (void)snprintf(room, size, "%.*s%s%s", (int)(mark - words[i]), words[i], url, mark + 2);
        words[i] = room;
        put = true;
    }
    if (!put) {
        words[count] = room;
        (void)str_copy(room, size, url);
    }
}

/* In a process that nobody waits for: it takes the first command of the list that can be run. Standard output is not
 * the browser's: what it prints there would stand among our own. */
static void run_detached(char *list, const char *url, int told) {
    char room[COMMAND_SIZE];
    sigset_t none;
    int null = open("/dev/null", O_RDWR);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (setsid() < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(null, STDERR_FILENO) < 0)
        _exit(1);
    for (char *rest = list, *command; (command = strsep(&rest, ":"));) {
        char *words[WORDS_MAX + 2] = {NULL};
        size_t count = 0;
        if (str_words(command, words, WORDS_MAX, &count) || !count)
            continue;
        put_url(words, count, url, room, sizeof room);
        (void)execvp(words[0], words);
    }
    int error = errno;
    (void)!write(told, &error, sizeof error);
    _exit(1);
}

int browser_open(const char *url, struct why *why) {
    char list[COMMAND_SIZE];
    const char *wanted = getenv("BROWSER");
    int told[2], error = 0;
    if (!wanted || !wanted[0]) {
        if (!has_display()) {
            why_set(why, "there is no display for a browser, and $BROWSER names none");
            return SP_ENOENT;
        }
        wanted = usual;
    }
    if (str_copy(list, sizeof list, wanted) || strlen(url) + strlen(wanted) >= COMMAND_SIZE) {
        why_set(why, "$BROWSER or the address is too long");
        return SP_ENOENT;
    }
    if (pipe(told) != 0)
        return SP_ESYS;
    (void)fcntl(told[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(told[1], F_SETFD, FD_CLOEXEC);
    pid_t pid = fork();
    if (pid == 0) {
        /* The grandchild belongs to nobody here, so that nobody has to wait for a browser to be closed. */
        if (fork() == 0)
            run_detached(list, url, told[1]);
        _exit(0);
    }
    (void)close(told[1]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    ssize_t n = pid > 0 ? read(told[0], &error, sizeof error) : 0;
    (void)close(told[0]);
    if (n == (ssize_t)sizeof error) {
        why_set(why, "cannot run the browser '%s': %s", wanted, strerror(error));
        return SP_ENOENT;
    }
    return pid > 0 ? 0 : SP_ESYS;
}
