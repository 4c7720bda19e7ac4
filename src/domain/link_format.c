/* Writes the messages of the link. */
#include <jansson.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/domain/link.h"

/* Takes the message over. NULL: a text was not UTF-8 (or memory is short, which jansson does not tell apart). */
static int append(struct buf *out, json_t *message) {
    return message ? jsonline_append(out, message, LINK_LINE_MAX) : SP_EFORMAT;
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
    return append(out, json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:o}", "kind", "hello", "protocol",
                                 (json_int_t)hello->protocol, "version", hello->version, "name", hello->name, "boot_id",
                                 hello->boot_id, "hostname", hostname, "ssh_host_keys", host_keys));
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
    return append(out, json_pack("{s:s, s:o}", "kind", "services", "services", array));
}

int link_format_services(struct buf *out, const struct service *list, size_t count) {
    int rc = format_services(out, list, count, LEAVE_NOTHING);
    if (rc == SP_ETOOBIG)
        rc = format_services(out, list, count, LEAVE_NOTEBOOKS);
    return rc == SP_ETOOBIG ? format_services(out, list, count, LEAVE_DETAIL) : rc;
}

int link_format_status(struct buf *out, const struct status *status) {
    json_t *object = status_to_json(status);
    if (object && json_object_set_new(object, "kind", json_string("status"))) {
        json_decref(object);
        object = NULL;
    }
    return append(out, object);
}

static int format_number(struct buf *out, const char *kind, int64_t n) {
    return append(out, json_pack("{s:s, s:I}", "kind", kind, "n", (json_int_t)n));
}

int link_format_ping(struct buf *out, int64_t n) {
    return format_number(out, "ping", n);
}

int link_format_pong(struct buf *out, int64_t n) {
    return format_number(out, "pong", n);
}

int link_format_welcome(struct buf *out, const struct link_welcome *welcome) {
    char moment[21];
    str_time(moment, welcome->server_time);
    return append(out, json_pack("{s:s, s:I, s:s, s:s, s:s}", "kind", "welcome", "protocol",
                                 (json_int_t)welcome->protocol, "version", welcome->version, "observed_address",
                                 welcome->observed_address, "server_time", moment));
}

int link_format_error(struct buf *out, const char *text) {
    return append(out, json_pack("{s:s, s:s}", "kind", "error", "text", text));
}

int link_format_unknown(struct buf *out, const char *of) {
    return append(out, json_pack("{s:s, s:s}", "kind", "unknown", "of", of));
}
