#include "client.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/wire/digest.h"
#include "statefile.h"

enum { FILE_MAX = 16384, BLOB_MAX = 2048 };

static const char file_name[] = "client.json";

static bool client_take(const json_t *object, struct client *out) {
    struct client made = {0};
    int64_t port;
    if (!jsonline_text(object, "host", made.host, sizeof made.host) ||
        !jsonline_text(object, "user", made.user, sizeof made.user) ||
        !jsonline_text(object, "host_key", made.fingerprint, sizeof made.fingerprint) ||
        !jsonline_text(object, "key", made.key, sizeof made.key) ||
        !jsonline_integer(object, "port", 1, UINT16_MAX, &port))
        return false;
    /* Neither may be taken for an option of ssh. */
    if (name_check(made.user, NULL) || made.host[0] == '-')
        return false;
    (void)jsonline_text(object, "identity", made.identity, sizeof made.identity);
    (void)jsonline_text(object, "ssh_config", made.ssh_config, sizeof made.ssh_config);
    if (made.ssh_config[0] != '/')
        made.ssh_config[0] = '\0';
    made.port = (uint16_t)port;
    *out = made;
    return true;
}

int client_load(const char *state, struct client *out, struct why *why) {
    char path[4200];
    struct buf text;
    json_t *object = NULL;
    buf_init(&text);
    int rc = os_path(path, sizeof path, state, file_name);
    if (!rc)
        rc = os_read_file(path, FILE_MAX, &text);
    if (rc == SP_ESYS && errno == ENOENT) {
        why_set(why, "you have joined no relay yet: sallyport join 'sallyport://...' (an admin makes the line with: "
                     "ssh RELAY invite user NAME)");
        rc = SP_ENOENT;
        goto out;
    }
    if (rc) {
        why_set(why, "cannot read %s: %s", path, err_text(rc));
        goto out;
    }
    rc = jsonline_read((const char *)buf_head(&text), buf_len(&text), 4, &object, NULL);
    if (!rc && !client_take(object, out))
        rc = SP_EFORMAT;
    if (rc)
        why_set(why, "%s is damaged: sallyport leave, then join again", path);
out:
    json_decref(object);
    buf_fini(&text);
    return rc;
}

int client_save(const char *state, const struct client *client, struct why *why) {
    int rc = 0;
    json_t *object = json_pack("{s:s, s:i, s:s, s:s, s:s}", "host", client->host, "port", (int)client->port, "user",
                               client->user, "host_key", client->fingerprint, "key", client->key);
    if (!object || !jsonline_set_text(object, "identity", client->identity) ||
        !jsonline_set_text(object, "ssh_config", client->ssh_config))
        rc = SP_ENOMEM;
    if (!rc)
        rc = statefile_write(state, file_name, object);
    if (rc)
        why_set(why, "cannot write %s/%s: %s", state, file_name, err_text(rc));
    json_decref(object);
    return rc;
}

int client_remove(const char *state, struct why *why) {
    static const char *const names[] = {"client.json", "id_ed25519",  "id_ed25519.pub", "relay_known_hosts",
                                        "ask_key",     "routes.json", "host_keys.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[4200];
        int rc = os_path(path, sizeof path, state, names[i]);
        if (!rc && unlink(path) < 0 && errno != ENOENT)
            rc = SP_ESYS;
        if (rc) {
            why_set(why, "cannot remove %s: %s", path, err_text(rc));
            return rc;
        }
    }
    return 0;
}

/* The blob's text is the second word of the line, in the standard alphabet with padding. */
static int key_blob(const char *line, uint8_t blob[static BLOB_MAX], size_t *n) {
    char text[BLOB_MAX * 4 / 3 + 4];
    const char *begin = line + strcspn(line, " \t");
    begin += strspn(begin, " \t");
    size_t len = strcspn(begin, " \t\r\n");
    if (len == 0 || len >= sizeof text)
        return SP_EFORMAT;
    memcpy(text, begin, len);
    while (len > 0 && text[len - 1] == '=')
        len--;
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
    return base64url_decode(text, len, blob, BLOB_MAX, n);
}

int client_key_id(const char *line, char id[static 44], char print[51]) {
    uint8_t blob[BLOB_MAX], hash[DIGEST_SIZE];
    size_t n;
    int rc = key_blob(line, blob, &n);
    if (rc)
        return SP_EFORMAT;
    rc = digest_sha256(blob, n, hash);
    if (rc)
        return rc;
    base64url_encode(id, hash, sizeof hash);
    if (print) {
        base64_encode(print + 7, hash, sizeof hash);
        memcpy(print, (const char[]){'S', 'H', 'A', '2', '5', '6', ':'}, 7);
    }
    return 0;
}
