/* The names of containers, as the program that runs them (Docker, Podman) tells them on its socket. */
#ifndef SALLYPORT_PROBE_CONTAINERS_H
#define SALLYPORT_PROBE_CONTAINERS_H

#include <stddef.h>

#include "cgroup.h"
#include "sallyport/base/loop.h"

/* A longer name is not shown. */
#define CONTAINER_NAME_SIZE 80

struct containers;

/* Whoever may use that socket is root, as good as: so it is asked only because the configuration says so, and only for
 * this. 0 or SP_ENOMEM. */
int containers_new(struct loop *loop, const char *socket_path, struct containers **out);
/* NULL is allowed. */
void containers_free(struct containers *containers);

/* The name of the container with that id, when it is known; else NULL: then it is asked for, and may be known next time.
 * Names are asked anew every 10 min, for they may change. Valid until the loop turns. */
const char *containers_name(struct containers *containers, const char *id);

/* Reads the answer to `GET /containers/ID/json`: 0 and the name, or SP_EFORMAT for anything but a whole answer about just
 * that container with a name as such names are. */
int containers_parse(const char *answer, size_t len, const char *id, char to[static CONTAINER_NAME_SIZE]);

#endif
