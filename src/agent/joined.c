#include "joined.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

enum { FILE_MAX = 4096 };

static const char file_name[] = "joined.json";
static const char key_name[] = "machine_key";

int joined_state(const struct agent_config *config, char *to, size_t size, struct why *why) {
    int rc = config->state ? str_copy(to, size, config->state) : os_default_state(to, size, "agent");
    if (rc < 0) {
        why_set(why, "no state folder: give --state DIR");
        return rc;
    }
    return os_state_dir(to, why);
}

int joined_key_path(const char *state, char *to, size_t size) {
    return os_path(to, size, state, key_name);
}

static bool joined_take(const json_t *object, struct joined *out) {
    struct joined made = {0};
    const char *name = json_string_value(json_object_get(object, "name"));
    const char *host = json_string_value(json_object_get(object, "host"));
    const char *print = json_string_value(json_object_get(object, "host_key"));
    json_int_t port = json_integer_value(json_object_get(object, "port"));
    if (!name || !host || !print || port < 1 || port > UINT16_MAX || name_check(name, NULL) < 0)
        return false;
    if (str_copy(made.name, sizeof made.name, name) < 0 || str_copy(made.host, sizeof made.host, host) < 0 ||
        str_copy(made.fingerprint, sizeof made.fingerprint, print) < 0)
        return false;
    made.port = (uint16_t)port;
    *out = made;
    return true;
}

int joined_load(const char *state, struct joined *out, struct why *why) {
    char path[4200];
    struct buf text;
    buf_init(&text);
    int rc = os_path(path, sizeof path, state, file_name);
    if (rc == 0)
        rc = os_read_file(path, FILE_MAX, &text);
    if (rc == SP_ESYS && errno == ENOENT) {
        buf_fini(&text);
        why_set(why, "this machine has joined no relay yet: sallyport-agent join 'sallyport://...' (an admin makes the "
                     "line with: ssh RELAY invite machine NAME)");
        return SP_ENOENT;
    }
    if (rc < 0) {
        buf_fini(&text);
        why_set(why, "cannot read %s: %s", path, err_text(rc));
        return rc;
    }
    json_t *object = json_loadb((const char *)buf_head(&text), buf_len(&text), 0, NULL);
    rc = joined_take(object, out) ? 0 : SP_EFORMAT;
    if (rc < 0)
        why_set(why, "%s is damaged: remove it and join again", path);
    json_decref(object);
    buf_fini(&text);
    return rc;
}

int joined_save(const char *state, const struct joined *joined, struct why *why) {
    char path[4200];
    int rc = os_path(path, sizeof path, state, file_name);
    json_t *object = json_pack("{s:s,s:s,s:i,s:s}", "name", joined->name, "host", joined->host, "port",
                               (int)joined->port, "host_key", joined->fingerprint);
    char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
    if (!text)
        rc = SP_ENOMEM;
    if (rc == 0)
        rc = os_write_file(path, text, strlen(text), 0600);
    if (rc < 0)
        why_set(why, "cannot write %s: %s", path, err_text(rc));
    free(text);
    json_decref(object);
    return rc;
}

int joined_remove(const char *state) {
    char path[4200];
    int rc = os_path(path, sizeof path, state, file_name);
    if (rc < 0)
        return rc;
    if (unlink(path) < 0)
        return errno == ENOENT ? SP_ENOENT : SP_ESYS;
    rc = joined_key_path(state, path, sizeof path);
    if (rc == 0 && unlink(path) < 0 && errno != ENOENT)
        rc = SP_ESYS;
    return rc;
}
