/* Runs another program and takes what it prints, within bounds of time and size, without holding up the loop. */
#ifndef SALLYPORT_PROBE_COMMAND_H
#define SALLYPORT_PROBE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/loop.h"

struct command;

struct command_result {
    int exit_status; /* -1: ended by a signal, or by us */
    bool too_late;
    const char *output; /* not terminated; valid during the call */
    size_t len;
};

/* Starts argv[0], a path, with no input, nothing but PATH and LC_ALL=C in its environment, its complaints thrown away.
 * `done` is called once, from the loop; what is printed beyond `output_max` ends the program. The command frees itself
 * then. 0, SP_ESYS or SP_ENOMEM. */
int command_start(struct loop *loop, char *const argv[], size_t output_max, uint64_t deadline_ms,
                  void (*done)(void *ctx, const struct command_result *result), void *ctx, struct command **out);
/* Ends it; `done` is not called any more. NULL is allowed. */
void command_cancel(struct command *command);

#endif
