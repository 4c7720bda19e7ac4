/* Blocking calls (name lookup, slow files) on helper threads, their ends posted back to the loop. */
#ifndef SALLYPORT_BASE_WORK_H
#define SALLYPORT_BASE_WORK_H

#include "sallyport/base/loop.h"

struct work;

/* Threads start with the first job and end after 30 s without one, so an idle daemon keeps one thread. At most
 * `threads` (1..16) run at once; further jobs wait in line, at most 256 of them. */
int work_new(struct loop *loop, unsigned threads, struct work **out);
/* Waits for running jobs (their `done` is not called any more, but `drop` is). NULL is allowed. */
void work_free(struct work *work);

/* `run(ctx)` is called on a thread and touches only ctx; then `done(ctx)` on the loop. When the job can no longer
 * report (work_free), `drop(ctx)` is called instead of `done`. 0, SP_ENOMEM, SP_EBUSY (line full) or SP_ESYS (no
 * thread); on failure none of the three is called. */
int work_submit(struct work *work, void (*run)(void *ctx), void (*done)(void *ctx), void (*drop)(void *ctx), void *ctx);

#endif
