#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "address.h"
#include "sallyport/agent/agent.h"
#include "sallyport/domain/name.h"
#include "sallyport/domain/status.h"

#define AT(member) offsetof(struct agent_config, member)

static const struct option options[] = {
    {.name = "state",
     .type = OPTION_TEXT,
     .offset = AT(state),
     .cli = true,
     .metavar = "DIR",
     .help = "folder for this machine's key and what it joined (default: by the system's habit)"},
    {.name = "mode",
     .type = OPTION_CHOICE,
     .initial = "relay",
     .offset = AT(mode),
     .choices = "relay|plain",
     .help = "relay: a Sallyport relay, after `join`; plain: reverse tunnels on any SSH server"},
    {.name = "server",
     .type = OPTION_TEXT,
     .offset = AT(server),
     .metavar = "USER@HOST:PORT",
     .help = "mode = plain: the SSH server"},
    {.name = "server_key",
     .type = OPTION_TEXT,
     .offset = AT(server_key),
     .metavar = "SHA256:...",
     .help = "mode = plain: fingerprint of its host key (ssh-keygen -lf, any type)"},
    {.name = "identity",
     .type = OPTION_TEXT,
     .offset = AT(identity),
     .metavar = "FILE",
     .help = "mode = plain: private key to log in with (default: the one in the state folder)"},
    {.name = "direct",
     .type = OPTION_CHOICE,
     .initial = "door",
     .offset = AT(direct),
     .choices = "door|sshd|off",
     .help = "what is reached without the relay: the door, which wants a ticket; sshd itself; nothing"},
    {.name = "door_port",
     .type = OPTION_NUMBER,
     .initial = "0",
     .offset = AT(door_port),
     .max = UINT16_MAX,
     .help = "the door's port on this machine (0: any; it is kept)"},
    {.name = "port_mapping",
     .type = OPTION_CHOICE,
     .initial = "auto",
     .offset = AT(port_mapping),
     .choices = "auto|upnp|pcp|off",
     .help = "how the router is asked for a port (pcp: NAT-PMP, too)"},
    {.name = "external_port",
     .type = OPTION_NUMBER,
     .initial = "0",
     .offset = AT(external_port),
     .max = UINT16_MAX,
     .help = "the port wanted on the router, or forwarded there by hand (0: any)"},
    {.name = "sample_interval",
     .type = OPTION_DURATION,
     .initial = "10s",
     .offset = AT(sample_interval),
     .min = 1,
     .max = 60,
     .help = "how often the machine's own state is measured, and told to the relay"},
    {.name = "docker_socket",
     .type = OPTION_TEXT,
     .offset = AT(docker_socket),
     .metavar = "FILE",
     .help = "for containers' names, Docker's or Podman's socket: who can speak to it is as good as root"},
    {.name = "accounts",
     .type = OPTION_LIST,
     .offset = AT(accounts),
     .metavar = "ACCOUNT:USER",
     .help = "which Sallyport user is behind an account of this machine, where the names are not the same"},
    {.name = "keep_awake",
     .type = OPTION_CHOICE,
     .initial = "off",
     .offset = AT(keep_awake),
     .choices = "off|gpu|people|both",
     .help = "keep the machine from sleeping while a GPU is busy, somebody is connected, or either"},
    {.name = "publish",
     .type = OPTION_CHOICE,
     .initial = "allow",
     .offset = AT(publish),
     .choices = "allow|config",
     .help = "allow: admins of the relay may publish services that were found here; config: only this file"},
    {.name = "log_level",
     .type = OPTION_CHOICE,
     .initial = "info",
     .offset = AT(log_level),
     .cli = true,
     .choices = "error|warn|info|debug",
     .help = "how much to say on standard error"},
    {.name = NULL},
};

static int service_key(void *config, const char *name, const char *key, const char *value, struct why *why) {
    struct agent_config *agent = config;
    return services_config_set(&agent->services, name, key, value, why);
}

static const struct option_section sections[] = {{"service", service_key}, {NULL, NULL}};

const struct option_table agent_options = {.options = options, .sections = sections};

/* "ann:alice"; an account's name may be anything without a colon. */
static int accounts_check(const struct option_list *accounts, struct why *why) {
    for (size_t i = 0; i < accounts->count; i++) {
        const char *item = accounts->items[i];
        const char *colon = strchr(item, ':');
        if (!colon || colon == item || colon - item >= (ptrdiff_t)sizeof(((struct process *)0)->user) ||
            name_check(colon + 1, NULL) < 0) {
            why_set(why, "accounts = %s: give ACCOUNT:USER, an account of this machine and a user of the relay", item);
            return SP_EINVAL;
        }
    }
    return 0;
}

static int docker_socket_check(const char *path, struct why *why) {
    if (!path || (path[0] == '/' && strlen(path) < sizeof(((struct sockaddr_un *)0)->sun_path)))
        return 0;
    why_set(why, "docker_socket = %s: give the whole path of a socket, such as /var/run/docker.sock", path);
    return SP_EINVAL;
}

int agent_config_check(const struct agent_config *config, struct why *why) {
    int rc = services_config_check(&config->services, why);
    if (rc == 0)
        rc = accounts_check(&config->accounts, why);
    if (rc == 0)
        rc = docker_socket_check(config->docker_socket, why);
    if (rc < 0 || config->mode != AGENT_PLAIN)
        return rc;
    struct login_address unused;
    if (!config->server || !config->server_key) {
        why_set(why, "mode = plain needs server = USER@HOST:PORT and server_key = SHA256:...");
        return SP_EINVAL;
    }
    if (strncmp(config->server_key, "SHA256:", 7) != 0 || strlen(config->server_key) != 50) {
        why_set(why,
                "server_key = %s: give the fingerprint as `ssh-keygen -lf HOSTKEY.pub` prints it, SHA256: and 43 "
                "characters",
                config->server_key);
        return SP_EINVAL;
    }
    return login_address_parse(config->server, &unused, why);
}

void agent_config_fini(struct agent_config *config) {
    services_config_fini(&config->services);
}
