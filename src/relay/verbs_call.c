/* How verbs speak: messages, tables, JSON, the audit, keys among the arguments. */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/store/audit.h"
#include "sallyport/store/grants.h"
#include "sallyport/store/machines.h"
#include "verbs_local.h"

bool verb_may(const struct verb_call *call, enum policy_action action) {
    struct policy_request request = {.action = action};
    return policy_allows(&call->subject, &request);
}

void verb_audit(const struct verb_call *call, const char *object, const char *outcome, const char *detail) {
    char title[32];
    verb_title(call->verb, title, sizeof(title));
    struct audit_entry entry = {
        .time = call->now,
        .actor = call->who,
        .action = title,
        .object = object,
        .outcome = outcome,
        .detail = detail,
    };
    (void)store_audit_add(call->store, &entry); /* the store has logged a failure */
}

/* A message that memory is too short for is lost; the exit status still tells. */
static void __attribute__((format(printf, 2, 0)))
say(const struct verb_call *call, const char *format, va_list arguments) {
    char text[1024];
    vsnprintf(text, sizeof(text), format, arguments);
    (void)buf_printf(call->err, "%s\n", text);
}

void verb_say(const struct verb_call *call, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(call, format, arguments);
    va_end(arguments);
}

int verb_fail(const struct verb_call *call, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(call, format, arguments);
    va_end(arguments);
    return VERB_FAILED;
}

int verb_end(const struct verb_call *call, int rc) {
    return rc ? verb_fail(call, "the relay could not do it: %s", err_text(rc)) : VERB_DONE;
}

int verb_changed(const struct verb_call *call, int rc, const char *object, const char *detail, const struct why *why) {
    verb_audit(call, object, rc ? "failed" : "ok", detail);
    if (rc && why && why->text[0])
        return verb_fail(call, "%s", why->text);
    return verb_end(call, rc);
}

int verb_print(const struct verb_call *call, struct table *table) {
    int rc = table_print(table, 0, call->out);
    table_fini(table);
    return verb_end(call, rc);
}

int verb_print_json(const struct verb_call *call, struct json_t *value) {
    return verb_end(call, jsonline_append(call->out, value, SIZE_MAX));
}

void verb_time(char to[static 21], int64_t when) {
    to[0] = '\0';
    if (when > 0)
        str_time(to, when);
}

/* One line of standard input, which may end in blank ones. */
static int read_input(const struct verb_call *call, char *to, size_t size) {
    size_t len = call->input_len;
    while (len > 0 && strchr(" \t\r\n", call->input[len - 1]))
        len--;
    if (len == 0)
        return verb_fail(call, "no key came on standard input: try  ... - < ~/.ssh/id_ed25519.pub");
    if (memchr(call->input, '\n', len))
        return verb_fail(call, "more than one line came on standard input: one key at a time");
    if (len >= size || memchr(call->input, '\0', len))
        return verb_fail(call, "what came on standard input is no public key");
    memcpy(to, call->input, len);
    to[len] = '\0';
    return 0;
}

int verb_read_key(const struct verb_call *call, size_t first, struct pubkey *out) {
    char line[4096] = "";
    size_t used = 0;
    struct why why = {""};
    if (call->count == first + 1 && strcmp(call->args[first], "-") == 0) {
        int status = read_input(call, line, sizeof(line));
        if (status)
            return status;
    } else {
        for (size_t i = first; i < call->count; i++) {
            int n = snprintf(line + used, sizeof(line) - used, "%s%s", i > first ? " " : "", call->args[i]);
            used += (size_t)n;
            if (used >= sizeof(line))
                return verb_fail(call, "the key is too long");
        }
    }
    return pubkey_parse(line, out, &why) ? verb_fail(call, "%s", why.text) : 0;
}

struct key_text verb_key_text(const struct pubkey *key) {
    return (struct key_text){
        .type = key->type,
        .base64 = key->base64,
        .fingerprint = key->fingerprint,
        .label = key->comment,
    };
}

/* False when out of memory or the database failed. */
static bool append_grant(const struct verb_call *call, json_t *array, const struct grant *grant) {
    struct machine machine;
    int rc = store_machine_get(call->store, grant->machine_id, &machine);
    if (rc)
        return rc == SP_ENOENT;
    json_t *text = json_sprintf("%s%s%s", machine.name, grant->service[0] ? "/" : "", grant->service);
    return json_array_append_new(array, text) == 0;
}

struct json_t *verb_grants(const struct verb_call *call, int64_t user_id) {
    struct grant *grants;
    size_t count;
    if (store_grant_list(call->store, user_id, &grants, &count))
        return NULL;
    json_t *array = json_array();
    for (size_t i = 0; array && i < count; i++) {
        if (!append_grant(call, array, &grants[i])) {
            json_decref(array);
            array = NULL;
        }
    }
    free(grants);
    return array;
}
