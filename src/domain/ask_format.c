/* Writes what a client asks, and what the relay answers. */
#include <jansson.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/ask.h"
#include "sallyport/domain/jsonline.h"

static json_t *failed_json(const struct ask *ask) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < ask->failed_count && i < ASK_FAILED_MAX; i++) {
        const struct candidate *one = &ask->failed[i];
        if (json_array_append_new(array, json_pack("{s:s, s:i}", "address", one->address, "port", (int)one->port))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* Takes the message over. */
static int append(struct buf *out, json_t *message) {
    return message ? jsonline_append_bare(out, message, ASK_TEXT_MAX) : SP_EINVAL;
}

int ask_format(struct buf *out, const struct ask *ask) {
    if (name_check(ask->box, NULL) || service_name_check(ask->service, NULL))
        return SP_EINVAL;
    json_t *message = json_pack("{s:s, s:s, s:b}", "box", ask->box, "service", ask->service, "punch", (int)ask->punch);
    if (message && ask->failed_count && json_object_set_new(message, "failed", failed_json(ask))) {
        json_decref(message);
        return SP_EINVAL;
    }
    return append(out, message);
}

static json_t *way_json(const struct answer_way *way) {
    return json_pack("{s:s, s:s, s:i, s:s}", "route", way->lan ? "lan" : "direct", "address", way->address, "port",
                     (int)way->port, "to", way->to_sshd ? "sshd" : "door");
}

static json_t *ways_json(const struct answer *answer) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < answer->way_count && i < CANDIDATES_MAX; i++) {
        if (json_array_append_new(array, way_json(&answer->ways[i]))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *host_keys_json(const struct answer *answer) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < answer->host_key_count && i < ASK_HOST_KEYS_MAX; i++) {
        if (json_array_append_new(array, json_string(answer->host_keys[i]))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* What is empty is not said. */
static const char *said(const char *text) {
    return text[0] ? text : NULL;
}

int answer_format(struct buf *out, const struct answer *answer) {
    if (answer->error[0])
        return append(out, json_pack("{s:s}", "error", answer->error));
    if (name_check(answer->box, NULL) || service_name_check(answer->service, NULL) || !answer->port)
        return SP_EINVAL;
    json_t *message = json_pack(
        "{s:s, s:s, s:s, s:i, s:o, s:s*, s:s*, s:s*, s:s*, s:s*, s:o, s:s*, s:s*}", "box", answer->box, "service",
        answer->service, "kind", answer->kind, "port", (int)answer->port, "ways", ways_json(answer), "knock",
        said(answer->knock), "door_ticket", said(answer->door_ticket), "relay_ticket", said(answer->relay_ticket),
        "punch_ticket", said(answer->punch_ticket), "reason", said(answer->reason), "host_keys", host_keys_json(answer),
        "observed_address", said(answer->observed_address), "ask_key", said(answer->ask_key));
    if (message && !jsonline_set_time(message, "server_time", answer->server_time)) {
        json_decref(message);
        return SP_ENOMEM;
    }
    return append(out, message);
}
