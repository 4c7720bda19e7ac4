/* What the agent remembers of its door and its router from one start to the next: a small JSON file in the state
 * folder. */
#ifndef SALLYPORT_AGENT_REACH_MEMORY_H
#define SALLYPORT_AGENT_REACH_MEMORY_H

#include "sallyport/wire/portmap.h"

struct reach_memory {
    uint16_t door_port;     /* the one that was chosen; 0: none yet */
    uint16_t external_port; /* the last one that the router gave: asked for again */
    struct portmap_memory portmap;
};

/* What cannot be read, is damaged, or is of a later version counts as nothing: *out is all zero then. `boot_id` is this
 * start of the machine: the router's clock is known against that of this start only. */
void reach_memory_load(const char *state, const char *boot_id, struct reach_memory *out);
/* SP_ESYS, SP_ENOMEM, SP_ETOOBIG. */
int reach_memory_save(const char *state, const char *boot_id, const struct reach_memory *memory);
/* Is there anything in them that is worth writing down? The clocks alone are not. */
bool reach_memory_equal(const struct reach_memory *a, const struct reach_memory *b);

#endif
