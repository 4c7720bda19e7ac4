#include <stddef.h>
#include <string.h>

#include "address.h"
#include "sallyport/relay/relay.h"

#define AT(member) offsetof(struct relay_config, member)

static const struct option options[] = {
    {.name = "state",
     .type = OPTION_TEXT,
     .offset = AT(state),
     .cli = true,
     .metavar = "DIR",
     .help = "folder for the database and keys (default: by the system's habit)"},
    {.name = "listen",
     .type = OPTION_LIST,
     .initial = "*:2222",
     .offset = AT(listen),
     .cli = true,
     .metavar = "ADDR:PORT",
     .help = "address and port to listen on; may be given several times"},
    {.name = "name",
     .type = OPTION_TEXT,
     .offset = AT(name),
     .cli = true,
     .metavar = "HOST",
     .help = "public host name or address of this relay, as people type it"},
    {.name = "public_port",
     .type = OPTION_NUMBER,
     .initial = "0",
     .offset = AT(public_port),
     .max = 65535,
     .cli = true,
     .help = "port as people dial it, if a router changes it (0: the first one listened on)"},
    {.name = "certificate",
     .type = OPTION_TEXT,
     .offset = AT(certificate),
     .cli = true,
     .metavar = "FILE",
     .help = "certificate chain (PEM) for the page (default: a self-made one)"},
    {.name = "certificate_key",
     .type = OPTION_TEXT,
     .offset = AT(certificate_key),
     .cli = true,
     .metavar = "FILE",
     .help = "private key (PEM) of the certificate"},
    {.name = "acme_webroot",
     .type = OPTION_TEXT,
     .offset = AT(acme_webroot),
     .cli = true,
     .metavar = "DIR",
     .help = "folder of the answers to ACME http-01 challenges (default: acme in the state folder)"},
    {.name = "max_guests",
     .type = OPTION_NUMBER,
     .initial = "1024",
     .offset = AT(max_guests),
     .min = 16,
     .max = 65536,
     .help = "connections that have not logged in, at most"},
    {.name = "log_level",
     .type = OPTION_CHOICE,
     .initial = "info",
     .offset = AT(log_level),
     .cli = true,
     .choices = "error|warn|info|debug",
     .help = "how much to say on standard error"},
    {.name = NULL},
};

const struct option_table relay_options = {.options = options, .sections = NULL};

int relay_config_check(const struct relay_config *config, struct why *why) {
    for (size_t i = 0; i < config->listen.count; i++) {
        struct address parsed;
        int rc = address_parse(config->listen.items[i], &parsed, why);
        if (rc < 0)
            return rc;
    }
    if (config->listen.count == 0) {
        why_set(why, "nothing to listen on: give listen = *:2222");
        return SP_EINVAL;
    }
    if (!config->certificate != !config->certificate_key) {
        why_set(why, "certificate and certificate_key belong together: give both or none");
        return SP_EINVAL;
    }
    if (config->name &&
        (!config->name[0] || strlen(config->name) > 253 || strpbrk(config->name, " /:[]@'\"\\") != NULL) &&
        !address_is_ipv6(config->name)) {
        why_set(why, "name = %s: give a host name or an address without port, such as relay.example.org", config->name);
        return SP_EINVAL;
    }
    return 0;
}
