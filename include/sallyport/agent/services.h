/* What this machine publishes: the services found on it and those of the configuration, kept up to date. */
#ifndef SALLYPORT_AGENT_SERVICES_H
#define SALLYPORT_AGENT_SERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/err.h"
#include "sallyport/base/loop.h"
#include "sallyport/base/options.h"
#include "sallyport/domain/service.h"

/* A section `[service NAME]` of agent.ini: what it says overrides what was found. */
struct service_entry {
    char name[SP_NAME_SIZE];
    uint64_t port;        /* 0: as found (ssh and Jupyter only) */
    uint64_t remote_port; /* 0: not said */
    int kind;             /* 0: as the name says, else an enum service_kind + 1 */
    bool publish;
    char *path;       /* NULL: not said */
    char *token_file; /* NULL: not said; begins with '/' */
};

struct services_config {
    struct service_entry *entries; /* owned */
    size_t count;
    const char *root; /* before /proc, /etc, /home: NULL or "" outside tests */
};

/* The keys of `[service NAME]`, members of struct service_entry. */
extern const struct option_table services_config_keys;
/* One key of `[service NAME]`: port, kind (ssh, http, tcp), remote_port, publish (yes, no), path, token_file. Made to be called
 * from a struct option_section. SP_EINVAL (the name), SP_EFORMAT, SP_ENOENT (unknown key), SP_ETOOBIG (over 64 services),
 * each with the reason in why, or SP_ENOMEM. */
int services_config_set(struct services_config *config, const char *name, const char *key, const char *value,
                        struct why *why);
/* After all is read: SP_EINVAL when a service that cannot be found by itself has no port. */
int services_config_check(const struct services_config *config, struct why *why);
void services_config_fini(struct services_config *config);

struct published {
    struct service service;
    char host[64];        /* the address to dial on this machine, in figures */
    uint16_t remote_port; /* wanted on a stock SSH server (mode = plain); 0: not said */
    bool withheld; /* only named: no stream may lead there, it is not published or something else listens there */
};

struct services;

/* Looks at once and then every 4 s, and asks Jupyters for their notebooks every 5 s. What else is recognised is listed as
 * found; what was published of it from the relay is remembered in the folder `state` (NULL: only the configuration
 * publishes). `changed` is called from the loop,
 * never from inside services_new, when the list has become another, at most every 2 s; the first time as soon as the first look is over, also when it found nothing. At most SERVICES_MAX
 * are published, the configured ones before those found. `publish = no` without a port for `ssh` or `jupyter` ends the
 * search for these. `config` must outlive the services. 0, SP_ENOMEM or SP_ESYS. */
int services_new(struct loop *loop, const struct services_config *config, const char *state, void (*changed)(void *ctx),
                 void *ctx, struct services **out);
void services_free(struct services *services);

/* The list, ssh first; valid until `changed` is called again. Empty before the first call of it. */
void services_list(const struct services *services, const struct published **list, size_t *count);

/* An admin of the relay wants it published, or no more; remembered. SP_ENOENT: no such service was found on that port, or
 * it was not published from there; SP_EDENIED: the configuration decides; SP_ETOOBIG; SP_ESYS, SP_ENOMEM: it could not be
 * kept, and nothing has changed. All with why. */
int services_publish(struct services *services, const char *name, uint16_t port, bool published, struct why *why);

/* The path of the notebook whose kernel has that id, in a Jupyter that is watched, cut off when longer; false: not known. */
bool services_notebook(const struct services *services, const char *kernel, char *to, size_t size);

/* Does the published ssh service lead to the system's sshd, so that sshd_keys_read tells its host keys? */
bool services_ssh_is_system(const struct services *services);

#endif
