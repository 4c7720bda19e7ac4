#include "hostkeys.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "sallyport/base/str.h"
#include "statefile.h"

static const char file_name[] = "host_keys.json";

bool hostkeys_add(struct hostkeys *keys, const char *line) {
    static const char type_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-@.";
    char id[44];
    size_t type = strspn(line, type_letters);
    if (keys->count == ASK_HOST_KEYS_MAX || type == 0 || line[type] != ' ')
        return false;
    size_t blob = strcspn(line + type + 1, " \t\r\n");
    int n = (int)(type + 1 + blob);
    char *to = keys->lines[keys->count];
    if (n >= ASK_HOST_KEY_SIZE || client_key_id(line, id, NULL))
        return false;
    (void)snprintf(to, ASK_HOST_KEY_SIZE, "%.*s", n, line);
    keys->count++;
    return true;
}

static void hostkeys_take(const json_t *array, struct hostkeys *out) {
    out->count = 0;
    size_t n = json_array_size(array);
    for (size_t i = 0; i < n; i++) {
        const char *line = json_string_value(json_array_get(array, i));
        if (line)
            (void)hostkeys_add(out, line);
    }
}

int hostkeys_find(const char *state, const char *box, struct hostkeys *out) {
    json_t *object;
    struct hostkeys found;
    int rc = statefile_read(state, file_name, &object);
    if (rc)
        return rc;
    hostkeys_take(json_object_get(object, box), &found);
    json_decref(object);
    if (found.count == 0)
        return SP_ENOENT;
    *out = found;
    return 0;
}

int hostkeys_replace(const char *state, const char *box, const struct hostkeys *keys) {
    json_t *object = NULL;
    int lock = -1;
    int rc = statefile_lock(state, &lock);
    if (!rc)
        rc = statefile_read(state, file_name, &object);
    json_t *array = rc ? NULL : json_array();
    for (size_t i = 0; array && i < keys->count; i++) {
        if (json_array_append_new(array, json_string(keys->lines[i])))
            rc = SP_ENOMEM;
    }
    if (!rc && (!array || json_object_set(object, box, array)))
        rc = SP_ENOMEM;
    if (!rc)
        rc = statefile_write(state, file_name, object);
    json_decref(array);
    json_decref(object);
    if (lock >= 0)
        (void)close(lock);
    return rc;
}

static bool hostkeys_have(const struct hostkeys *keys, const char *line) {
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->lines[i], line) == 0)
            return true;
    }
    return false;
}

int hostkeys_learn(const char *state, const char *box, const struct hostkeys *said, struct why *why) {
    struct hostkeys known;
    char id[44], old_print[51] = "?", new_print[51] = "?";
    if (said->count == 0)
        return 0;
    int rc = hostkeys_find(state, box, &known);
    if (rc == SP_ENOENT)
        rc = hostkeys_replace(state, box, said);
    else if (!rc) {
        for (size_t i = 0; i < said->count; i++) {
            if (hostkeys_have(&known, said->lines[i]))
                return 0;
        }
        (void)client_key_id(known.lines[0], id, old_print);
        (void)client_key_id(said->lines[0], id, new_print);
        why_set(why,
                "the host key of %s has changed: it was %s, and the relay says that it is %s now. If sshd there was "
                "installed anew, say: sallyport trust %s. If not, somebody may stand between you and the machine",
                box, old_print, new_print, box);
        return SP_EDENIED;
    }
    if (rc)
        why_set(why, "cannot keep the host keys of %s in %s: %s", box, state, err_text(rc));
    return rc;
}
