/* What the files of the services share: the choice of what is published, under which name, with which token. */
#ifndef SALLYPORT_AGENT_SERVICES_LOCAL_H
#define SALLYPORT_AGENT_SERVICES_LOCAL_H

#include "publish_memory.h"
#include "sallyport/agent/services.h"
#include "sallyport/probe/jupyter.h"
#include "sallyport/probe/jupyter_sessions.h"
#include "sallyport/probe/listeners.h"
#include "sallyport/probe/recognize.h"

/* The server that bears the name `jupyter`; port 0: none yet. */
struct main_jupyter {
    uint16_t port;
    pid_t pid;
    uid_t uid;
    char root_dir[256];
};

/* What a token_file holds; empty: nothing of use. */
struct service_token {
    char text[256]; /* secret */
};

/* All that the choice depends on. */
struct found {
    const struct listeners *listeners;
    const struct listener *sshd; /* NULL: none */
    const struct jupyter_server *jupyters;
    size_t jupyter_count;
    const struct service_token *tokens; /* of the entries of the configuration, in their order; NULL: none */
    const struct recognized *apps;
    size_t app_count;
    const struct publish_memory *memory; /* NULL: only the configuration publishes */
};

struct service_list {
    struct published items[SERVICES_MAX];
    size_t count;
};

/* The entry for a service, or NULL. */
const struct service_entry *services_config_find(const struct services_config *config, const char *name);
/* The entry that fixes this port, or NULL. */
const struct service_entry *services_config_port(const struct services_config *config, uint16_t port);
/* Is a service with that name to be looked for? */
bool services_config_wants(const struct services_config *config, const char *name);

/* Fills `out` with what is to be published now; `before` is what was until now. Moves the name `jupyter` when its
 * server is gone. */
void service_list_choose(const struct services_config *config, const struct found *found,
                         const struct service_list *before, struct main_jupyter *jupyter, struct service_list *out);
/* services_found.c: appends what was published from the relay, then what is recognised and not published. */
void service_list_add_apps(const struct services_config *config, const struct found *found,
                           const struct service_list *before, struct service_list *out);
/* A new one at the end, of the kind that its name says; NULL when the list is full or has that name. */
struct published *service_list_add(struct service_list *list, const char *name, uint16_t port);
/* It is up when there is a listener, and dialled there. */
void published_set_listener(struct published *published, const struct listener *listener);
/* Where the published Jupyters are asked for their notebooks: those that do not speak TLS. At most SERVICES_MAX. */
size_t service_list_places(const struct service_list *list, const struct found *found,
                           struct jupyter_place places[static SERVICES_MAX]);
bool service_list_equal(const struct service_list *a, const struct service_list *b);

/* Reads a token_file: a regular file of root's or our own that nobody else may read, with one line. SP_EDENIED,
 * SP_EFORMAT, SP_ESYS, each with the reason in why. The caller wipes *out. */
int service_token_read(const char *path, struct service_token *out, struct why *why);

#endif
