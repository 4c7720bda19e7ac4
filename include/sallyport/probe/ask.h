/* One short question to a port of this machine: connect, say something, read the first bytes of the answer. */
#ifndef SALLYPORT_PROBE_ASK_H
#define SALLYPORT_PROBE_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/loop.h"

struct ask;

struct ask_question {
    const char *host; /* an address in figures */
    uint16_t port;
    const char *socket_path; /* a Unix socket in place of host and port; else NULL */
    const char *request;     /* NULL: wait for the other side to speak first */
    unsigned timeout_ms;     /* for all of it */
    size_t answer_max;       /* an answer is cut off here; 0: at ASK_MAX */
    /* Is the answer long enough to be judged? NULL: only its end is. */
    bool (*enough)(const char *answer, size_t len);
};

/* Enough for an answer that only has to be recognized. */
#define ASK_MAX 16384

/* Calls `answered` once, from the loop, never from inside ask_new. `answer` is valid during the call; len 0 when
 * there was none; `timed_out` when the time was over before the end or enough. Afterwards the ask does nothing more;
 * the caller frees it, from inside `answered` if it likes. The request must outlive the ask. 0, SP_EINVAL (not an
 * address, or too long a path), SP_ESYS or SP_ENOMEM; a refused connection is no failure here but an empty answer. */
int ask_new(struct loop *loop, const struct ask_question *question,
            void (*answered)(void *ctx, const char *answer, size_t len, bool timed_out), void *ctx, struct ask **out);
void ask_free(struct ask *ask);

#endif
