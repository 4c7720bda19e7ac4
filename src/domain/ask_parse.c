/* Reads what a client asks, and what the relay answers. */
#include <jansson.h>
#include <string.h>

#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/ask.h"
#include "sallyport/domain/jsonline.h"

enum { DEPTH_MAX = 8 };

static int refuse(struct why *why, const char *what) {
    why_set(why, "%s is missing or wrong", what);
    return SP_EFORMAT;
}

static int read_object(const char *text, size_t len, json_t **out, struct why *why) {
    if (len >= ASK_TEXT_MAX) {
        why_set(why, "longer than %d bytes", ASK_TEXT_MAX);
        return SP_EFORMAT;
    }
    return jsonline_read(text, len, DEPTH_MAX, out, why) ? SP_EFORMAT : 0;
}

static bool read_place(const json_t *object, char address[static INET6_ADDRSTRLEN], uint16_t *port) {
    char text[2 * INET6_ADDRSTRLEN], canonical[INET6_ADDRSTRLEN] = "";
    int64_t number;
    if (!jsonline_text(object, "address", text, sizeof(text)) || !candidate_address(canonical, text) ||
        !jsonline_integer(object, "port", 1, UINT16_MAX, &number))
        return false;
    memcpy(address, canonical, sizeof(canonical));
    *port = (uint16_t)number;
    return true;
}

static bool read_names(const json_t *object, char box[static SP_NAME_SIZE], char service[static SP_NAME_SIZE]) {
    return jsonline_text(object, "box", box, SP_NAME_SIZE) && name_check(box, NULL) == 0 &&
           jsonline_text(object, "service", service, SP_NAME_SIZE) && service_name_check(service, NULL) == 0;
}

int ask_parse(const char *text, size_t len, struct ask *out, struct why *why) {
    struct ask ask;
    json_t *object;
    memset(&ask, 0, sizeof(ask));
    int rc = read_object(text, len, &object, why);
    if (rc)
        return rc;
    if (!read_names(object, ask.box, ask.service)) {
        rc = refuse(why, "the box or its service");
        goto out;
    }
    ask.punch = json_is_true(json_object_get(object, "punch"));
    const json_t *failed = json_object_get(object, "failed");
    for (size_t i = 0; i < json_array_size(failed) && ask.failed_count < ASK_FAILED_MAX; i++) {
        struct candidate *one = &ask.failed[ask.failed_count];
        ask.failed_count += read_place(json_array_get(failed, i), one->address, &one->port);
    }
    *out = ask;
out:
    json_decref(object);
    return rc;
}

/* Of a route, or to something, that is not known here: left out, and what was written is written over. */
static bool read_way(const json_t *object, struct answer_way *way) {
    char route[16], to[16];
    if (!jsonline_text(object, "route", route, sizeof(route)) || !jsonline_text(object, "to", to, sizeof(to)))
        return false;
    way->lan = strcmp(route, "lan") == 0;
    way->to_sshd = strcmp(to, "sshd") == 0;
    if ((!way->lan && strcmp(route, "direct") != 0) || (!way->to_sshd && strcmp(to, "door") != 0))
        return false;
    return read_place(object, way->address, &way->port);
}

static void read_ticket(const json_t *object, const char *member, char to[static TICKET_TEXT_SIZE]) {
    if (jsonline_text(object, member, to, TICKET_TEXT_SIZE) && !ticket_is_text(to))
        to[0] = '\0';
}

/* Bytes that stay text here: only their form is checked. */
static void read_bytes(const json_t *object, const char *member, size_t n, char *to) {
    uint8_t bytes[32];
    if (jsonline_bytes(object, member, bytes, n))
        base64url_encode(to, bytes, n);
    secret_wipe(bytes, sizeof(bytes));
}

static void read_lists(const json_t *object, struct answer *answer) {
    const json_t *ways = json_object_get(object, "ways"), *keys = json_object_get(object, "host_keys");
    for (size_t i = 0; i < json_array_size(ways) && answer->way_count < CANDIDATES_MAX; i++) {
        answer->way_count += read_way(json_array_get(ways, i), &answer->ways[answer->way_count]);
    }
    for (size_t i = 0; i < json_array_size(keys) && answer->host_key_count < ASK_HOST_KEYS_MAX; i++) {
        const json_t *key = json_array_get(keys, i);
        const char *line = json_string_value(key);
        if (line && line[0] && str_is_clean(line, json_string_length(key)) &&
            str_copy(answer->host_keys[answer->host_key_count], ASK_HOST_KEY_SIZE, line) == 0)
            answer->host_key_count++;
    }
}

static int read_answer(const json_t *object, struct answer *answer, struct why *why) {
    int64_t port;
    char address[2 * INET6_ADDRSTRLEN];
    if (jsonline_text_cut(object, "error", answer->error, sizeof(answer->error)))
        return answer->error[0] ? 0 : refuse(why, "the error");
    if (!read_names(object, answer->box, answer->service))
        return refuse(why, "the box or its service");
    if (!jsonline_text(object, "kind", answer->kind, sizeof(answer->kind)))
        return refuse(why, "the kind");
    if (!jsonline_integer(object, "port", 1, UINT16_MAX, &port))
        return refuse(why, "the port");
    answer->port = (uint16_t)port;
    read_bytes(object, "knock", 16, answer->knock);
    read_bytes(object, "ask_key", 32, answer->ask_key);
    read_ticket(object, "door_ticket", answer->door_ticket);
    read_ticket(object, "relay_ticket", answer->relay_ticket);
    read_ticket(object, "punch_ticket", answer->punch_ticket);
    jsonline_text_cut(object, "reason", answer->reason, sizeof(answer->reason));
    if (jsonline_text(object, "observed_address", address, sizeof(address)))
        (void)candidate_address(answer->observed_address, address);
    jsonline_time(object, "server_time", &answer->server_time);
    read_lists(object, answer);
    return 0;
}

int answer_parse(const char *text, size_t len, struct answer *out, struct why *why) {
    struct answer answer;
    json_t *object;
    memset(&answer, 0, sizeof(answer));
    int rc = read_object(text, len, &object, why);
    if (rc)
        return rc;
    rc = read_answer(object, &answer, why);
    if (!rc)
        *out = answer;
    secret_wipe(&answer, sizeof(answer));
    json_decref(object);
    return rc;
}
