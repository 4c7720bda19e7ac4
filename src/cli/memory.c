#include "memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "statefile.h"

enum { ENTRIES_MAX = 200 };

static const char file_name[] = "routes.json";

struct memory {
    json_t *object;
    char relay[INET6_ADDRSTRLEN];
};

int memory_load(const char *state, struct memory **out) {
    struct memory *memory = calloc(1, sizeof *memory);
    if (!memory)
        return SP_ENOMEM;
    if (statefile_read(state, file_name, &memory->object))
        memory->object = NULL;
    (void)jsonline_text(memory->object, "relay_address", memory->relay, sizeof memory->relay);
    *out = memory;
    return 0;
}

void memory_free(struct memory *memory) {
    if (!memory)
        return;
    json_decref(memory->object);
    free(memory);
}

const char *memory_relay(const struct memory *memory) {
    return memory->relay;
}

bool way_same(const struct answer_way *a, const struct answer_way *b) {
    return a->port == b->port && a->to_sshd == b->to_sshd && strcmp(a->address, b->address) == 0;
}

static enum route route_of(const char *name) {
    static const enum route routes[] = {ROUTE_LAN, ROUTE_DIRECT, ROUTE_PUNCHED, ROUTE_RELAYED};
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (strcmp(name, route_name(routes[i])) == 0)
            return routes[i];
    }
    return ROUTE_NONE;
}

static bool place_take(const json_t *object, char address[static INET6_ADDRSTRLEN], uint16_t *port) {
    int64_t number;
    if (!jsonline_text(object, "address", address, INET6_ADDRSTRLEN) ||
        !jsonline_integer(object, "port", 1, UINT16_MAX, &number))
        return false;
    *port = (uint16_t)number;
    return true;
}

static void failed_take(const json_t *array, struct memory_entry *entry) {
    size_t n = json_array_size(array);
    for (size_t i = 0; i < n && entry->failed_count < MEMORY_FAILED_MAX; i++) {
        const json_t *object = json_array_get(array, i);
        struct memory_failed *failed = &entry->failed[entry->failed_count];
        if (place_take(object, failed->address, &failed->port) &&
            jsonline_integer(object, "at", 1, INT64_MAX / 2, &failed->at))
            entry->failed_count++;
    }
}

static void entry_take(const json_t *object, struct memory_entry *entry) {
    char route[16] = "";
    struct answer_way way = {.port = 0};
    (void)jsonline_text(object, "route", route, sizeof route);
    entry->route = route_of(route);
    if (place_take(object, way.address, &way.port)) {
        way.lan = json_is_true(json_object_get(object, "lan"));
        way.to_sshd = json_is_true(json_object_get(object, "to_sshd"));
        entry->way = way;
    }
    (void)jsonline_text(object, "knock", entry->knock, sizeof entry->knock);
    (void)jsonline_integer(object, "used", 0, INT64_MAX / 2, &entry->used);
    (void)jsonline_integer(object, "punch_failed", 0, INT64_MAX / 2, &entry->punch_failed);
    failed_take(json_object_get(object, "failed"), entry);
}

static bool entry_is(const json_t *object, const char *network, const char *box, const char *service) {
    const char *a = json_string_value(json_object_get(object, "network"));
    const char *b = json_string_value(json_object_get(object, "box"));
    const char *c = json_string_value(json_object_get(object, "service"));
    return a && b && c && strcmp(a, network) == 0 && strcmp(b, box) == 0 && strcmp(c, service) == 0;
}

void memory_find(const struct memory *memory, const char *network, const char *box, const char *service,
                 struct memory_entry *out) {
    *out = (struct memory_entry){.route = ROUTE_NONE};
    (void)str_copy(out->network, sizeof out->network, network);
    (void)str_copy(out->box, sizeof out->box, box);
    (void)str_copy(out->service, sizeof out->service, service);
    const json_t *ways = json_object_get(memory->object, "ways");
    for (size_t i = 0; i < json_array_size(ways); i++) {
        const json_t *object = json_array_get(ways, i);
        if (entry_is(object, network, box, service))
            entry_take(object, out);
    }
}

static size_t failed_place(const struct memory_entry *entry, const struct answer_way *way) {
    size_t i = 0;
    while (i < entry->failed_count &&
           (entry->failed[i].port != way->port || strcmp(entry->failed[i].address, way->address) != 0))
        i++;
    return i;
}

bool memory_has_failed(const struct memory_entry *entry, const struct answer_way *way, int64_t now) {
    size_t i = failed_place(entry, way);
    return i < entry->failed_count && now - entry->failed[i].at < MEMORY_FAILED_S && now >= entry->failed[i].at;
}

void memory_clear_failed(struct memory_entry *entry, const struct answer_way *way) {
    size_t i = failed_place(entry, way);
    if (i == entry->failed_count)
        return;
    entry->failed_count--;
    memmove(&entry->failed[i], &entry->failed[i + 1], (entry->failed_count - i) * sizeof entry->failed[0]);
}

void memory_note_failed(struct memory_entry *entry, const struct answer_way *way, int64_t now) {
    memory_clear_failed(entry, way);
    if (entry->failed_count == MEMORY_FAILED_MAX) {
        entry->failed_count--;
        memmove(&entry->failed[0], &entry->failed[1], entry->failed_count * sizeof entry->failed[0]);
    }
    struct memory_failed *failed = &entry->failed[entry->failed_count++];
    *failed = (struct memory_failed){.port = way->port, .at = now};
    (void)str_copy(failed->address, sizeof failed->address, way->address);
}

static json_t *entry_json(const struct memory_entry *entry) {
    json_t *object = json_pack("{s:s, s:s, s:s, s:I}", "network", entry->network, "box", entry->box, "service",
                               entry->service, "used", (json_int_t)entry->used);
    bool good = object && jsonline_set_text(object, "route", route_name(entry->route)) &&
                jsonline_set_text(object, "knock", entry->knock);
    if (good && entry->way.port)
        good = !json_object_set_new(object, "address", json_string(entry->way.address)) &&
               !json_object_set_new(object, "port", json_integer(entry->way.port)) &&
               !json_object_set_new(object, "lan", json_boolean(entry->way.lan)) &&
               !json_object_set_new(object, "to_sshd", json_boolean(entry->way.to_sshd));
    if (good && entry->punch_failed)
        good = !json_object_set_new(object, "punch_failed", json_integer(entry->punch_failed));
    json_t *failed = good ? json_array() : NULL;
    for (size_t i = 0; failed && i < entry->failed_count; i++) {
        const struct memory_failed *one = &entry->failed[i];
        good = good && !json_array_append_new(failed, json_pack("{s:s, s:i, s:I}", "address", one->address, "port",
                                                                (int)one->port, "at", (json_int_t)one->at));
    }
    if (failed && json_object_set_new(object, "failed", failed))
        good = false;
    if (good && failed)
        return object;
    json_decref(object);
    return NULL;
}

/* The entries that stay, the youngest last, and the new one behind them. */
static json_t *entries_with(const json_t *old, const struct memory_entry *entry) {
    json_t *ways = json_array();
    size_t n = json_array_size(old);
    for (size_t i = n >= ENTRIES_MAX ? n - ENTRIES_MAX + 1 : 0; ways && i < n; i++) {
        json_t *object = json_array_get(old, i);
        if (!entry_is(object, entry->network, entry->box, entry->service))
            (void)json_array_append(ways, object);
    }
    if (ways && json_array_append_new(ways, entry_json(entry)) == 0)
        return ways;
    json_decref(ways);
    return NULL;
}

int memory_save(const char *state, const struct memory_entry *entry, const char *relay_address) {
    json_t *object = NULL;
    int lock = -1;
    int rc = statefile_lock(state, &lock);
    if (!rc)
        rc = statefile_read(state, file_name, &object);
    if (!rc) {
        json_t *ways = entries_with(json_object_get(object, "ways"), entry);
        if (!ways || json_object_set_new(object, "ways", ways) ||
            !jsonline_set_text(object, "relay_address", relay_address))
            rc = SP_ENOMEM;
    }
    if (!rc)
        rc = statefile_write(state, file_name, object);
    json_decref(object);
    if (lock >= 0)
        (void)close(lock);
    return rc;
}
