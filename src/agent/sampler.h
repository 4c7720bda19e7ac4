/* Brings the machine's state together every few seconds: the machine itself, its GPUs, and who uses them. */
#ifndef SALLYPORT_AGENT_SAMPLER_H
#define SALLYPORT_AGENT_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>

#include "sallyport/base/loop.h"
#include "sallyport/base/options.h"
#include "sallyport/base/work.h"
#include "sallyport/domain/status.h"

struct sampler;

struct sampler_config {
    struct loop *loop;
    struct work *work;
    const char *root;                   /* before /proc, /sys, ...: "" outside tests */
    uint64_t interval_ms;               /* from one sample to the next */
    const char *docker_socket;          /* NULL: containers have no names */
    const struct option_list *accounts; /* "UNIX:NAME", outlives the sampler */
    /* As in processes.h; NULL: no notebook is known. */
    bool (*notebook)(void *ctx, const char *kernel, char *to, size_t size);
    /* A sample is there, still the sampler's; its power_state is to be set. Must not free the sampler. */
    void (*taken)(void *ctx, struct status *status);
    void *ctx;
};

/* The first sample comes from the loop, as soon as the GPUs have answered. Sources that cannot be had are left out.
 * SP_ENOMEM. */
int sampler_new(const struct sampler_config *config, struct sampler **out);
/* NULL is allowed. */
void sampler_free(struct sampler *sampler);

/* The next one is wanted now. */
void sampler_hurry(struct sampler *sampler);
/* The last one, still the sampler's, valid until the loop turns; NULL: there is none yet. */
struct status *sampler_latest(struct sampler *sampler);

#endif
