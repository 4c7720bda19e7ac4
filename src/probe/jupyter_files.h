/* The runtime files that Jupyter servers leave for their users. */
#ifndef SALLYPORT_PROBE_JUPYTER_FILES_H
#define SALLYPORT_PROBE_JUPYTER_FILES_H

#include <stddef.h>

#include "sallyport/probe/jupyter.h"

/* More servers than that are not looked for. */
#define JUPYTER_SERVERS_MAX 64

struct jupyter_servers {
    struct jupyter_server *items; /* owned */
    size_t count;
};

/* Wipes and frees. */
void jupyter_servers_fini(struct jupyter_servers *servers);
/* Adds a copy; of two on one port the one started later stays. 0, SP_ENOMEM or SP_ETOOBIG. */
int jupyter_servers_add(struct jupyter_servers *servers, const struct jupyter_server *server);
const struct jupyter_server *jupyter_servers_find(const struct jupyter_servers *servers, uint16_t port);

/* Adds the servers that live: their process is there, and the port is listened on by the user whose file it is. Looks
 * where our own user's files are and, as root, in the homes of all users who have listening sockets. */
int jupyter_files_scan(const char *root, const struct listeners *listeners, struct jupyter_servers *servers);

#endif
