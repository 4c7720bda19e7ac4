/* What the tests of work see beyond its contract. */
#ifndef SALLYPORT_BASE_WORK_IMPL_H
#define SALLYPORT_BASE_WORK_IMPL_H

#include "sallyport/base/work.h"

#define WORK_THREADS_MAX 16
#define WORK_WAITING_MAX 256
#define WORK_IDLE_MS 30000

/* How long a thread without a job stays; before the first job. */
void work_set_idle_ms(struct work *work, unsigned idle_ms);
/* Threads that are there now. */
unsigned work_count_threads(struct work *work);

#endif
