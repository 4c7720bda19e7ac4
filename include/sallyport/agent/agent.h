/* The agent: keeps a machine's reverse tunnels to a relay, or to any SSH server. */
#ifndef SALLYPORT_AGENT_AGENT_H
#define SALLYPORT_AGENT_AGENT_H

#include "sallyport/agent/services.h"
#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"
#include "sallyport/base/loop.h"
#include "sallyport/base/options.h"

struct agent;

enum agent_mode { AGENT_RELAY, AGENT_PLAIN };
/* Where a mapped port leads. */
enum agent_direct { AGENT_DIRECT_DOOR, AGENT_DIRECT_SSHD, AGENT_DIRECT_OFF };
enum agent_mapping { AGENT_MAPPING_AUTO, AGENT_MAPPING_UPNP, AGENT_MAPPING_PCP, AGENT_MAPPING_OFF };
/* What keeps the machine from sleeping. */
enum agent_keep_awake { AGENT_KEEP_OFF, AGENT_KEEP_GPU, AGENT_KEEP_PEOPLE, AGENT_KEEP_BOTH };
/* Who may have services published that were only found: an admin of the relay, or this machine's configuration alone. */
enum agent_publish { AGENT_PUBLISH_ALLOW, AGENT_PUBLISH_CONFIG };

struct agent_config {
    char *state;                          /* folder; NULL: os_default_state */
    int mode;                             /* enum agent_mode */
    char *server, *server_key, *identity; /* mode = plain: USER@HOST:PORT, its fingerprint, our key */
    int direct;                           /* enum agent_direct */
    int port_mapping;                     /* enum agent_mapping */
    uint64_t external_port, door_port;    /* 0: any */
    uint64_t sample_interval;             /* seconds */
    char *docker_socket;                  /* NULL: containers have no names */
    struct option_list accounts;          /* "UNIX:NAME" */
    int keep_awake;                       /* enum agent_keep_awake */
    int publish;                          /* enum agent_publish */
    int log_level;
    struct services_config services;
};

/* For options_init and options_read. */
extern const struct option_table agent_options;
/* What the tables cannot check, and the services' memory. */
int agent_config_check(const struct agent_config *config, struct why *why);
void agent_config_fini(struct agent_config *config);

/* Registers this machine with the relay of that join URL (`-`: of the one on standard input), and remembers it. Blocks, at
 * most 30 s once it has the URL. SP_EEXIST: it belongs to a relay already; SP_EFORMAT: the URL; SP_EINVAL: it was for a
 * person; SP_ECRYPTO: another host key; SP_EEXPIRED: the relay refused the token; SP_ECLOSED, SP_ETIMEOUT; with why. `out`
 * gets what to tell the person. */
int agent_join(const struct agent_config *config, const char *word, struct buf *out, struct why *why);
/* Forgets the relay and the key. SP_ENOENT: belongs to none. The agent must not run (SP_EBUSY). */
int agent_leave(const struct agent_config *config, struct buf *out, struct why *why);

/* Starts; reconnects for ever. SP_ENOENT: not joined; SP_EBUSY: it runs already; others with why. */
int agent_new(struct loop *loop, const struct agent_config *config, struct agent **out, struct why *why);
void agent_free(struct agent *agent);

/* Asks the agent that runs with this configuration how it is; the answer is appended to out. SP_ENOENT: none is running;
 * others with why. */
int agent_ask_status(const struct agent_config *config, bool as_json, struct buf *out, struct why *why);

/* The agent starts itself as a helper for what routers answer (wire/portmap.h) and for GPUs (probe/gpu.h). To be called
 * first of all in main: the exit status when this process is such a helper, else -1. */
int agent_helper_main(int argc, char **argv);

#endif
