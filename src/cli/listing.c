#include "listing.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "hostkeys.h"
#include "memory.h"
#include "net.h"
#include "sallyport/base/str.h"

bool listing_has_ssh(const struct json_t *machine) {
    if (!json_is_true(json_object_get(machine, "online")))
        return true;
    const json_t *services = json_object_get(machine, "services");
    for (size_t i = 0; i < json_array_size(services); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(services, i), "name"));
        if (name && strcmp(name, "ssh") == 0)
            return true;
    }
    return false;
}

static void learn_keys(const struct cli *cli, const json_t *machine) {
    struct hostkeys keys = {.count = 0};
    struct why why = {""};
    const char *box = json_string_value(json_object_get(machine, "name"));
    const json_t *said = json_object_get(machine, "ssh_host_keys");
    if (!box || name_check(box, NULL))
        return;
    for (size_t i = 0; i < json_array_size(said); i++) {
        const char *line = json_string_value(json_array_get(said, i));
        if (line)
            (void)hostkeys_add(&keys, line);
    }
    if (hostkeys_learn(cli->state, box, &keys, &why))
        cli_say("%s", why.text);
}

int listing_get(const struct cli *cli, struct json_t **out, struct why *why) {
    static const char *const verb[] = {"list", "--json"};
    struct buf text;
    buf_init(&text);
    int rc = relay_verb(cli, verb, 2, &text, why);
    json_t *array = NULL;
    if (!rc) {
        array = buf_len(&text) ? json_loadb((const char *)buf_head(&text), buf_len(&text), 0, NULL) : NULL;
        if (!json_is_array(array)) {
            why_set(why, "the relay's list makes no sense");
            rc = SP_EFORMAT;
        }
    }
    buf_fini(&text);
    if (rc) {
        json_decref(array);
        return rc;
    }
    for (size_t i = 0; i < json_array_size(array); i++)
        learn_keys(cli, json_array_get(array, i));
    *out = array;
    return 0;
}

/* What is remembered of that machine's ssh on this network. */
static bool last_entry(const struct cli *cli, const char *box, struct memory_entry *entry) {
    struct memory *memory;
    struct net_address relay;
    char network[INET6_ADDRSTRLEN];
    if (memory_load(cli->state, &memory))
        return false;
    bool known =
        net_parse(memory_relay(memory), cli->client.port, &relay) == 0 && net_own_address(&relay, network) == 0;
    if (known)
        memory_find(memory, network, box, "ssh", entry);
    memory_free(memory);
    return known && entry->route != ROUTE_NONE;
}

void listing_last_way(const struct cli *cli, const char *box, char *to, size_t size) {
    struct memory_entry entry;
    to[0] = '\0';
    if (!last_entry(cli, box, &entry))
        return;
    if (entry.way.port && (entry.route == ROUTE_LAN || entry.route == ROUTE_DIRECT))
        (void)snprintf(to, size, "%s, %s port %u", route_name(entry.route), entry.way.address,
                       (unsigned)entry.way.port);
    else
        (void)snprintf(to, size, "%s", route_name(entry.route));
}

int listing_add_last(const struct cli *cli, struct json_t *machine) {
    struct memory_entry entry;
    const char *box = json_string_value(json_object_get(machine, "name"));
    if (!box || !last_entry(cli, box, &entry))
        return 0;
    return json_object_set_new(machine, "last_route", json_string(route_name(entry.route))) ? SP_ENOMEM : 0;
}
