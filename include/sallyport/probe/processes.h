/* Who uses the machine: the processes on its GPUs, and those that use most of its processors and memory. */
#ifndef SALLYPORT_PROBE_PROCESSES_H
#define SALLYPORT_PROBE_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/loop.h"
#include "sallyport/domain/status.h"

struct process_probe;

struct process_probe_config {
    const char *root;          /* as in system.h */
    const char *docker_socket; /* whom to ask for the names of containers; NULL: nobody */
    /* The path of the notebook whose kernel has that id (a UUID, 36 characters); false: not known. NULL: none is. */
    bool (*notebook)(void *ctx, const char *kernel, char *to, size_t size);
    void *ctx;
};

/* Copies the texts of `config`. `loop` is for the questions to docker_socket, and may be NULL without one. 0, SP_ENOMEM,
 * or SP_ESYS when there is no /proc. */
int process_probe_new(struct loop *loop, const struct process_probe_config *config, struct process_probe **out);
/* NULL is allowed. */
void process_probe_free(struct process_probe *probe);

/* Completes `status`, in which the GPU probe has put the processes on GPUs: what each of them is and uses; those that are
 * gone are taken out, or, when they were in the sample before, marked as ended (once; those that only left their GPU are
 * still remembered). Then come the five that use most of the processors, and of the memory, as far as that is worth
 * telling. `now_ms` is of a clock that does not jump; `status` has cpu_count. A process's share of the processors is not
 * known the first time it is seen. 0 or SP_ENOMEM. */
int process_probe_sample(struct process_probe *probe, uint64_t now_ms, struct status *status);

#endif
