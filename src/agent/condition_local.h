/* What the files of the condition share. */
#ifndef SALLYPORT_AGENT_CONDITION_LOCAL_H
#define SALLYPORT_AGENT_CONDITION_LOCAL_H

#include "condition.h"
#include "lan.h"
#include "sampler.h"
#include "sleep.h"

struct condition {
    struct condition_config config;
    struct agent_link *link; /* NULL: none */
    struct sampler *sampler;
    struct sleep *sleep;
    struct link_lan lan;
    struct lan_wakes wakes;
    int64_t farewell; /* number of the ping behind the last status before the sleep */
};

#endif
