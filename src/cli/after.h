/* What is left to do when a stream runs already, by a process of its own: see whether slower ways work, tell the relay of
 * those that do not, remember, punch. The stream never waits for it. */
#ifndef SALLYPORT_CLI_AFTER_H
#define SALLYPORT_CLI_AFTER_H

#include "race.h"

/* Starts it when there is something to do. The ways that did not win are its own then. */
void after_start(struct race *race, const struct race_result *result);

#endif
