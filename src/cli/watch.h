/* Programs that run for as long as a command does: waited for together with the signals that end the command, and ended
 * with it. */
#ifndef SALLYPORT_CLI_WATCH_H
#define SALLYPORT_CLI_WATCH_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "words.h"

enum { WATCH_MAX = 4 };

/* The signal with which a program says that it is ready. */
#define WATCH_READY SIGUSR1

struct watch {
    sigset_t signals, before;  /* those that are waited for, and what was blocked before */
    pid_t programs[WATCH_MAX]; /* negative: with its whole process group; 0: a free place */
    bool stopped;
};

enum watch_event {
    WATCH_IS_READY, /* somebody sent WATCH_READY */
    WATCH_ENDED,    /* a program ended */
    WATCH_LATE,     /* the time is over */
    WATCH_STOPPED,  /* SIGINT, SIGTERM or SIGHUP came */
};

/* From now on the signals wait until they are asked for. */
void watch_init(struct watch *watch);
/* Ends all programs that are left, and lets the signals through again. */
void watch_fini(struct watch *watch);

/* fork(), with the signals as they were: 0 in the child, its process id in the parent, or SP_ESYS or SP_EBUSY (WATCH_MAX
 * are running). With `group` it gets a process group of its own, so that what it starts is ended with it; it can then ask
 * nothing at the terminal. */
pid_t watch_fork(struct watch *watch, bool group);
/* The same without a group, and runs these words with standard input from /dev/null and standard output on standard
 * error. */
pid_t watch_start(struct watch *watch, const struct words *words);

/* Waits for at most so many seconds, 0: as long as it takes. For WATCH_ENDED `ended` is whose end it was, and *status as
 * of waitpid. */
enum watch_event watch_next(struct watch *watch, unsigned seconds, pid_t *ended, int *status);

/* Ends a program and waits for it; nothing for one that has ended. */
void watch_end(struct watch *watch, pid_t pid);

#endif
