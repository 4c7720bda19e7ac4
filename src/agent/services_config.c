#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "services_local.h"

static const struct option entry_options[] = {
    {.name = "port",
     .type = OPTION_NUMBER,
     .help = "where it listens on this machine; ssh and jupyter are found without",
     .offset = offsetof(struct service_entry, port),
     .min = 1,
     .max = UINT16_MAX},
    {.name = "kind",
     .type = OPTION_CHOICE,
     .initial = "auto",
     .help = "what it speaks; auto: as its name says, ssh, jupyter or else tcp",
     .offset = offsetof(struct service_entry, kind),
     .choices = "auto|ssh|http|tcp"},
    {.name = "remote_port",
     .type = OPTION_NUMBER,
     .help = "with mode = plain, the port wanted on the SSH server",
     .offset = offsetof(struct service_entry, remote_port),
     .min = 1,
     .max = UINT16_MAX},
    {.name = "publish",
     .type = OPTION_FLAG,
     .initial = "yes",
     .help = "no: keep it to this machine",
     .offset = offsetof(struct service_entry, publish)},
    {.name = "path",
     .type = OPTION_TEXT,
     .metavar = "PATH",
     .help = "of an http service, where its pages begin",
     .offset = offsetof(struct service_entry, path)},
    {.name = "token_file",
     .type = OPTION_TEXT,
     .metavar = "FILE",
     .help = "of a Jupyter whose own files are out of sight (in a container): where its token is written",
     .offset = offsetof(struct service_entry, token_file)},
    {.name = NULL},
};

const struct option_table services_config_keys = {.options = entry_options, .sections = NULL};

const struct service_entry *services_config_find(const struct services_config *config, const char *name) {
    for (size_t i = 0; i < config->count; i++)
        if (strcmp(config->entries[i].name, name) == 0)
            return &config->entries[i];
    return NULL;
}

const struct service_entry *services_config_port(const struct services_config *config, uint16_t port) {
    for (size_t i = 0; i < config->count; i++)
        if (config->entries[i].port == port)
            return &config->entries[i];
    return NULL;
}

bool services_config_wants(const struct services_config *config, const char *name) {
    const struct service_entry *entry = services_config_find(config, name);
    return entry == NULL || entry->publish || entry->port != 0;
}

static int entry_add(struct services_config *config, const char *name, struct service_entry **out, struct why *why) {
    int rc = service_name_check(name, why);
    if (rc != 0)
        return rc;
    if (config->count >= SERVICES_MAX) {
        why_set(why, "there are more than %d services: remove some", SERVICES_MAX);
        return SP_ETOOBIG;
    }
    struct service_entry *entries = realloc(config->entries, (config->count + 1) * sizeof *entries);
    if (entries == NULL)
        return SP_ENOMEM;
    config->entries = entries;
    struct service_entry *entry = &entries[config->count];
    memset(entry, 0, sizeof *entry);
    rc = options_init(&services_config_keys, entry);
    if (rc != 0)
        return rc;
    (void)str_copy(entry->name, sizeof entry->name, name);
    config->count++;
    *out = entry;
    return 0;
}

/* What is wrong with a value or a key, in the words of a configuration file. */
static void entry_explain(int rc, const char *key, const char *value, struct why *why) {
    static const char *const expected[][2] = {
        {"port", "a number from 1 to 65535, as in 'port = 6006'"},
        {"kind", "auto, ssh, http or tcp, as in 'kind = http'"},
        {"remote_port", "a number from 1 to 65535, as in 'remote_port = 16006'"},
        {"publish", "yes or no, as in 'publish = no'"},
        {"path", "a short path that begins with '/', as in 'path = /lab/'"},
        {"token_file", "the whole path of a file, as in 'token_file = /etc/sallyport/jupyter.token'"},
    };
    if (rc == SP_ENOENT)
        why_set(why, "unknown key '%s': a service has port, kind, remote_port, publish, path and token_file", key);
    for (size_t i = 0; rc == SP_EFORMAT && i < sizeof expected / sizeof *expected; i++)
        if (strcmp(expected[i][0], key) == 0)
            why_set(why, "'%s' should be %s, not '%s'", key, expected[i][1], value);
}

static bool is_path(const char *text) {
    struct service service;
    size_t len = strlen(text);
    return text[0] == '/' && len < sizeof service.path && str_is_clean(text, len);
}

int services_config_set(struct services_config *config, const char *name, const char *key, const char *value,
                        struct why *why) {
    struct service_entry *entry = NULL;
    int rc = 0;
    for (size_t i = 0; i < config->count; i++)
        if (strcmp(config->entries[i].name, name) == 0)
            entry = &config->entries[i];
    if (entry == NULL)
        rc = entry_add(config, name, &entry, why);
    if (rc != 0)
        return rc;
    bool is_wrong =
        (strcmp(key, "path") == 0 && !is_path(value)) || (strcmp(key, "token_file") == 0 && value[0] != '/');
    rc = is_wrong ? SP_EFORMAT : options_set(&services_config_keys, entry, key, value, NULL);
    entry_explain(rc, key, value, why);
    return rc;
}

/* Those that are looked for need no port. */
static bool is_found(const char *name) {
    return strcmp(name, "ssh") == 0 || strcmp(name, "jupyter") == 0 || str_starts(name, "jupyter-");
}

int services_config_check(const struct services_config *config, struct why *why) {
    for (size_t i = 0; i < config->count; i++) {
        const struct service_entry *entry = &config->entries[i];
        if (entry->publish && entry->port == 0 && !is_found(entry->name)) {
            why_set(why, "[service %s] has no port: add a line such as 'port = 6006'", entry->name);
            return SP_EINVAL;
        }
    }
    return 0;
}

void services_config_fini(struct services_config *config) {
    for (size_t i = 0; i < config->count; i++)
        options_fini(&services_config_keys, &config->entries[i]);
    free(config->entries);
    *config = (struct services_config){0};
}
