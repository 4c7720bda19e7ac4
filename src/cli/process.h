/* Other programs: started, fed, read and waited for. */
#ifndef SALLYPORT_CLI_PROCESS_H
#define SALLYPORT_CLI_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "sallyport/base/buf.h"
#include "words.h"

/* Starts it with these descriptors as its standard input, output and errors; -1 leaves ours, PROCESS_NULL is /dev/null.
 * They stay the caller's. All else that is not close-on-exec is inherited. SP_ESYS, SP_ENOMEM. */
enum { PROCESS_OURS = -1, PROCESS_NULL = -2 };
int process_start(const struct words *words, int in, int out, int err, pid_t *pid);

/* Waits for it. *status: its exit status, or 128 and the signal that ended it; 127: it could not be started. SP_ESYS. */
int process_wait(pid_t pid, int *status);

/* Runs it with our standard streams. */
int process_run(const struct words *words, int *status);

/* Runs it with `input` (n bytes; NULL: ours is closed to it) and takes its output and errors, at most max bytes each;
 * `err` may be NULL: ours. After deadline_ms it is ended: SP_ETIMEOUT. SP_ETOOBIG. */
struct process_talk {
    const void *input;
    size_t n;
    struct buf *out, *err;
    size_t max;
    uint64_t deadline_ms; /* from now */
};
int process_talk(const struct words *words, const struct process_talk *talk, int *status);

/* In a child that only works on for us: nothing stays open but these few; the standard streams become /dev/null. */
void process_forget(const int *keep, size_t count);

/* Becomes that program; returns only when it cannot: SP_ESYS. */
int process_exec(const struct words *words);

#endif
