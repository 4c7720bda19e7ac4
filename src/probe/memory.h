/* The machine's memory and swap. */
#ifndef SALLYPORT_PROBE_MEMORY_H
#define SALLYPORT_PROBE_MEMORY_H

#include "sallyport/domain/status.h"

/* Sets the four figures of memory and swap. */
void memory_sample(const char *root, struct status *out);

#endif
