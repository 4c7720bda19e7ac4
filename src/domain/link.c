/* Reads the messages of the link. What is checked here nobody needs to check again. */
#include "sallyport/domain/link.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "link_local.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"

/* Numbers of protocol versions are small; this keeps nonsense out. */
#define PROTOCOL_MAX 1000000

int link_refuse_field(struct why *why, const char *what) {
    why_set(why, "%s is missing or wrong", what);
    return SP_EFORMAT;
}

/* Host keys that are no clean text are left out, like every optional field of a wrong type. */
static int read_host_keys(const json_t *array, struct link_hello *hello, struct why *why) {
    size_t count = json_array_size(array);
    if (count > LINK_HOST_KEYS_MAX) {
        why_set(why, "more than %d host keys", LINK_HOST_KEYS_MAX);
        return SP_ETOOBIG;
    }
    if (count == 0)
        return 0;
    hello->host_keys = calloc(count, sizeof(*hello->host_keys));
    if (!hello->host_keys)
        return SP_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, i);
        size_t len = json_string_length(item);
        if (!json_is_string(item) || len > LINK_HOST_KEY_MAX || !str_is_clean(json_string_value(item), len))
            continue;
        char *key = strdup(json_string_value(item));
        if (!key)
            return SP_ENOMEM;
        hello->host_keys[hello->host_key_count++] = key;
    }
    return 0;
}

static int read_hello(const json_t *object, struct link_message *out, struct why *why) {
    struct link_hello *hello = &out->hello;
    struct why rule;
    if (!jsonline_integer(object, "protocol", 1, PROTOCOL_MAX, &hello->protocol))
        return link_refuse_field(why, "hello: protocol");
    if (!jsonline_text(object, "name", hello->name, sizeof(hello->name)))
        return link_refuse_field(why, "hello: name");
    if (name_check(hello->name, &rule)) {
        why_set(why, "hello: name: %s", rule.text);
        return SP_EFORMAT;
    }
    jsonline_text(object, "version", hello->version, sizeof(hello->version));
    jsonline_text(object, "boot_id", hello->boot_id, sizeof(hello->boot_id));
    jsonline_text(object, "hostname", hello->hostname, sizeof(hello->hostname));
    jsonline_time(object, "time", &hello->time);
    return read_host_keys(json_object_get(object, "ssh_host_keys"), hello, why);
}

/* 0; 1: of a kind that is not known here, to be left out; SP_EFORMAT. */
static int read_service(const json_t *item, struct service *service, struct why *why) {
    char kind[32], state[32];
    int64_t port;
    memset(service, 0, sizeof(*service));
    if (!jsonline_text(item, "name", service->name, sizeof(service->name)) || service_name_check(service->name, NULL))
        return link_refuse_field(why, "services: a name");
    if (!jsonline_integer(item, "port", 1, UINT16_MAX, &port))
        return link_refuse_field(why, "services: a port");
    if (!jsonline_text(item, "kind", kind, sizeof(kind)))
        return link_refuse_field(why, "services: a kind");
    if (!jsonline_text(item, "state", state, sizeof(state)))
        return link_refuse_field(why, "services: a state");
    if (service_kind_parse(kind, &service->kind))
        return 1;
    service->port = (uint16_t)port;
    service->up = strcmp(state, "up") == 0;
    service->found = strcmp(state, "found") == 0;
    service->changeable = json_is_true(json_object_get(item, "changeable"));
    jsonline_text(item, "detail", service->detail, sizeof(service->detail));
    if (jsonline_text(item, "path", service->path, sizeof(service->path)) && service->path[0] != '/')
        service->path[0] = '\0';
    if (jsonline_text(item, "token", service->token, sizeof(service->token)) && !service_is_token(service->token))
        secret_wipe(service->token, sizeof(service->token));
    notebooks_from_json(item, &service->notebooks);
    return 0;
}

static int read_services(const json_t *object, struct link_message *out, struct why *why) {
    struct link_services *services = &out->services;
    const json_t *array = json_object_get(object, "services");
    size_t count = json_array_size(array);
    if (!json_is_array(array))
        return link_refuse_field(why, "services: the list");
    if (count > SERVICES_MAX) {
        why_set(why, "more than %d services", SERVICES_MAX);
        return SP_ETOOBIG;
    }
    if (count == 0)
        return 0;
    services->list = calloc(count, sizeof(*services->list));
    if (!services->list)
        return SP_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct service *service = &services->list[services->count];
        int rc = read_service(json_array_get(array, i), service, why);
        if (rc < 0)
            return rc;
        if (rc > 0)
            continue;
        if (service_find(services->list, services->count, service->name)) {
            why_set(why, "services: '%s' is there twice", service->name);
            secret_wipe(service, sizeof(*service));
            return SP_EFORMAT;
        }
        services->count++;
    }
    return 0;
}

static int read_status(const json_t *object, struct link_message *out, struct why *why) {
    (void)why;
    return status_from_json(object, &out->status);
}

static int read_number(const json_t *object, struct link_message *out, struct why *why) {
    return jsonline_integer(object, "n", 0, INT64_MAX, &out->n) ? 0 : link_refuse_field(why, "n");
}

static int read_pong(const json_t *object, struct link_message *out, struct why *why) {
    jsonline_time(object, "server_time", &out->pong.server_time);
    return jsonline_integer(object, "n", 0, INT64_MAX, &out->pong.n) ? 0 : link_refuse_field(why, "n");
}

static int read_welcome(const json_t *object, struct link_message *out, struct why *why) {
    struct link_welcome *welcome = &out->welcome;
    if (!jsonline_integer(object, "protocol", 1, PROTOCOL_MAX, &welcome->protocol))
        return link_refuse_field(why, "welcome: protocol");
    jsonline_text(object, "version", welcome->version, sizeof(welcome->version));
    jsonline_text(object, "observed_address", welcome->observed_address, sizeof(welcome->observed_address));
    if (jsonline_text(object, "name", welcome->name, sizeof(welcome->name)) && name_check(welcome->name, NULL) < 0)
        welcome->name[0] = '\0';
    jsonline_time(object, "server_time", &welcome->server_time);
    welcome->has_ticket_key = jsonline_bytes(object, "ticket_key", welcome->ticket_key, sizeof(welcome->ticket_key));
    return 0;
}

static int read_error(const json_t *object, struct link_message *out, struct why *why) {
    return jsonline_text_cut(object, "text", out->text, sizeof(out->text)) ? 0 : link_refuse_field(why, "error: text");
}

static int read_unknown(const json_t *object, struct link_message *out, struct why *why) {
    return jsonline_text(object, "of", out->of, sizeof(out->of)) ? 0 : link_refuse_field(why, "unknown: of");
}

static const struct {
    const char *name;
    int (*read)(const json_t *object, struct link_message *out, struct why *why);
} kinds[] = {
    [LINK_HELLO] = {"hello", read_hello},    [LINK_SERVICES] = {"services", read_services},
    [LINK_STATUS] = {"status", read_status}, [LINK_REACH] = {"reach", link_read_reach},
    [LINK_PING] = {"ping", read_number},     [LINK_WELCOME] = {"welcome", read_welcome},
    [LINK_PONG] = {"pong", read_pong},       [LINK_VERIFY] = {"verify", link_read_verify},
    [LINK_OPEN] = {"open", link_read_open},  [LINK_PUNCH] = {"punch", link_read_punch},
    [LINK_END] = {"end", link_read_end},     [LINK_LAN] = {"lan", link_read_lan},
    [LINK_WAKE] = {"wake", link_read_wake},  [LINK_PUBLISH] = {"publish", link_read_publish},
    [LINK_ERROR] = {"error", read_error},    [LINK_UNKNOWN] = {"unknown", read_unknown},
};
#define KNOWN_KINDS (sizeof(kinds) / sizeof(kinds[0]))

const char *link_kind_name(enum link_kind kind) {
    return kind < KNOWN_KINDS ? kinds[kind].name : "other";
}

/* `out` is all zero. */
static int read_object(const json_t *object, struct link_message *out, struct why *why) {
    char kind[sizeof(out->of)];
    if (!jsonline_text(object, "kind", kind, sizeof(kind)))
        return link_refuse_field(why, "kind");
    for (size_t i = 0; i < KNOWN_KINDS; i++) {
        if (strcmp(kind, kinds[i].name) == 0) {
            out->kind = (enum link_kind)i;
            return kinds[i].read(object, out, why);
        }
    }
    out->kind = LINK_OTHER;
    memcpy(out->of, kind, strlen(kind) + 1);
    return 0;
}

int link_parse(const char *line, size_t len, struct link_message *out, struct why *why) {
    struct link_message message;
    json_t *object;
    memset(&message, 0, sizeof(message)); /* an initializer would leave parts of the union as they are */
    if (len > 0 && line[len - 1] == '\n')
        len--;
    if (len >= LINK_LINE_MAX) {
        why_set(why, "a line is longer than %d bytes", LINK_LINE_MAX);
        return SP_ETOOBIG;
    }
    int rc = jsonline_read(line, len, LINK_DEPTH_MAX, &object, why);
    if (rc)
        return rc;
    rc = read_object(object, &message, why);
    json_decref(object);
    if (rc)
        link_message_fini(&message);
    else
        *out = message;
    return rc;
}

void link_message_fini(struct link_message *message) {
    switch (message->kind) {
    case LINK_HELLO:
        for (size_t i = 0; i < message->hello.host_key_count; i++)
            free(message->hello.host_keys[i]);
        free(message->hello.host_keys);
        break;
    case LINK_SERVICES:
        service_free_list(message->services.list, message->services.count);
        break;
    case LINK_STATUS:
        status_fini(&message->status);
        break;
    case LINK_REACH:
    case LINK_PING:
    case LINK_WELCOME:
    case LINK_PONG:
    case LINK_VERIFY:
    case LINK_OPEN:
    case LINK_PUNCH:
    case LINK_END:
    case LINK_LAN:
    case LINK_WAKE:
    case LINK_PUBLISH:
    case LINK_ERROR:
    case LINK_UNKNOWN:
    case LINK_OTHER:
        break;
    }
    secret_wipe(message, sizeof(*message)); /* some have tickets or a knock */
    message->kind = LINK_OTHER;
}
