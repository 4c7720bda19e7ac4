/* Writes the messages of the link. */
#include <jansson.h>
#include <string.h>

#include "link_local.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"

int link_append(struct buf *out, json_t *message) {
    return message ? jsonline_append(out, message, LINK_LINE_MAX) : SP_EFORMAT;
}

/* Adds a time, if it is one, and appends the message. */
static int append_with_time(struct buf *out, json_t *message, const char *member, int64_t time) {
    if (message && !jsonline_set_time(message, member, time)) {
        json_decref(message);
        return SP_ENOMEM;
    }
    return link_append(out, message);
}

/* A host name may be any bytes; without it the rest is as good. */
static const char *clean_or_empty(const char *text) {
    return str_is_clean(text, strlen(text)) ? text : "";
}

static json_t *host_keys_json(const struct link_hello *hello) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < hello->host_key_count; i++) {
        if (json_array_append_new(array, json_string(hello->host_keys[i]))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

int link_format_hello(struct buf *out, const struct link_hello *hello) {
    json_t *host_keys = host_keys_json(hello);
    const char *hostname = clean_or_empty(hello->hostname);
    json_t *message = json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:o}", "kind", "hello", "protocol",
                                (json_int_t)hello->protocol, "version", hello->version, "name", hello->name, "boot_id",
                                hello->boot_id, "hostname", hostname, "ssh_host_keys", host_keys);
    return append_with_time(out, message, "time", hello->time);
}

/* What is left out of a service when the line would be too long: the figures of its notebooks stay. */
enum frugality { LEAVE_NOTHING, LEAVE_NOTEBOOKS, LEAVE_DETAIL };

static json_t *service_message(const struct service *service, enum frugality frugality) {
    json_t *object = service_to_json(service);
    bool good = object != NULL;
    if (good && service_is_token(service->token))
        good = json_object_set_new(object, "token", json_string(service->token)) == 0;
    if (good && frugality >= LEAVE_NOTEBOOKS)
        (void)json_object_del(object, "notebooks");
    if (good && frugality >= LEAVE_DETAIL)
        (void)json_object_del(object, "detail");
    if (good)
        return object;
    json_decref(object);
    return NULL;
}

static int format_services(struct buf *out, const struct service *list, size_t count, enum frugality frugality) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < count; i++) {
        if (json_array_append_new(array, service_message(&list[i], frugality))) {
            json_decref(array);
            array = NULL;
        }
    }
    return link_append(out, json_pack("{s:s, s:o}", "kind", "services", "services", array));
}

int link_format_services(struct buf *out, const struct service *list, size_t count) {
    int rc = format_services(out, list, count, LEAVE_NOTHING);
    if (rc == SP_ETOOBIG)
        rc = format_services(out, list, count, LEAVE_NOTEBOOKS);
    return rc == SP_ETOOBIG ? format_services(out, list, count, LEAVE_DETAIL) : rc;
}

static int format_status(struct buf *out, const struct status *status, unsigned extent) {
    json_t *object = status_to_json(status, extent);
    if (object && json_object_set_new(object, "kind", json_string("status"))) {
        json_decref(object);
        object = NULL;
    }
    return link_append(out, object);
}

int link_format_status(struct buf *out, const struct status *status) {
    int rc = format_status(out, status, STATUS_ALL);
    if (rc == SP_ETOOBIG)
        rc = format_status(out, status, STATUS_SHORT);
    return rc == SP_ETOOBIG ? format_status(out, status, STATUS_SHORT | STATUS_DISCREET) : rc;
}

int link_format_ping(struct buf *out, int64_t n) {
    return link_append(out, json_pack("{s:s, s:I}", "kind", "ping", "n", (json_int_t)n));
}

int link_format_pong(struct buf *out, const struct link_pong *pong) {
    return append_with_time(out, json_pack("{s:s, s:I}", "kind", "pong", "n", (json_int_t)pong->n), "server_time",
                            pong->server_time);
}

int link_format_welcome(struct buf *out, const struct link_welcome *welcome) {
    char key[BASE64URL_SIZE(sizeof(welcome->ticket_key))];
    base64url_encode(key, welcome->ticket_key, sizeof(welcome->ticket_key));
    json_t *message =
        json_pack("{s:s, s:I, s:s, s:s, s:s*, s:s*}", "kind", "welcome", "protocol", (json_int_t)welcome->protocol,
                  "version", welcome->version, "observed_address", welcome->observed_address, "name",
                  welcome->name[0] ? welcome->name : NULL, "ticket_key", welcome->has_ticket_key ? key : NULL);
    return append_with_time(out, message, "server_time", welcome->server_time);
}

int link_format_error(struct buf *out, const char *text) {
    return link_append(out, json_pack("{s:s, s:s}", "kind", "error", "text", text));
}

int link_format_unknown(struct buf *out, const char *of) {
    return link_append(out, json_pack("{s:s, s:s}", "kind", "unknown", "of", of));
}
