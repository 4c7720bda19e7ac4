#include <jansson.h>
#include <string.h>

#include "relay_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/join_url.h"
#include "sallyport/store/invites.h"
#include "sallyport/wire/digest.h"

/* The token in a line: alone, or within a join URL. */
static int join_token(const char *line, char to[static SECRET_TOKEN_LEN + 1], struct why *why) {
    char text[1024];
    size_t begin = strspn(line, " \t\r\n");
    size_t len = strcspn(line + begin, " \t\r\n");
    if (len == 0 || len >= sizeof text)
        goto wrong;
    memcpy(text, line + begin, len);
    text[len] = '\0';
    if (secret_is_token(text)) {
        memcpy(to, text, SECRET_TOKEN_LEN + 1);
        return 0;
    }
    struct join_url url;
    int rc = join_url_parse(text, &url, why);
    if (rc < 0)
        return rc;
    memcpy(to, url.token, SECRET_TOKEN_LEN + 1);
    secret_wipe(&url, sizeof url);
    return 0;
wrong:
    why_set(why, "no token: give the token of the invite, or its whole sallyport:// address, on standard input");
    return SP_EFORMAT;
}

/* Programs write behind the token what they join as, `machine` or `user`: an invite for the other kind is refused
 * before it is used up, and before a machine's key becomes a person's. Who joins by hand need not say. */
static int join_check_kind(struct store *store, const char *line, const uint8_t hash[static DIGEST_SIZE],
                           struct why *why) {
    struct invite invite;
    size_t begin = strspn(line, " \t\r\n");
    const char *kind = line + begin + strcspn(line + begin, " \t\r\n");
    kind += strspn(kind, " \t");
    bool machine = str_starts(kind, "machine");
    if (!machine && !str_starts(kind, "user"))
        return 0;
    int rc = store_invite_find(store, hash, os_realtime_s(), &invite, why);
    if (rc == 0 && machine != (invite.kind == INVITE_MACHINE)) {
        why_set(why, machine ? "that invite is for a person: use it with `sallyport join`, and for a machine ask for "
                               "another one (invite machine NAME)"
                             : "that invite is for a machine: use it there with `sallyport-agent join`, and for a "
                               "person ask for another one (invite user NAME)");
        rc = SP_EDENIED;
    }
    return rc;
}

static int join_redeem(struct peer *peer, const char *line, struct invite_result *out, struct why *why) {
    char token[SECRET_TOKEN_LEN + 1];
    uint8_t hash[DIGEST_SIZE];
    int rc = join_token(line, token, why);
    if (rc < 0)
        return rc;
    rc = digest_sha256(token, SECRET_TOKEN_LEN, hash);
    secret_wipe(token, sizeof token);
    if (rc == 0)
        rc = join_check_kind(peer->relay->store, line, hash, why);
    if (rc < 0)
        return rc;
    struct key_text key = {.type = peer->key->type,
                           .base64 = peer->key->base64,
                           .fingerprint = peer->key->fingerprint,
                           .label = peer->key->comment};
    return store_invite_redeem(peer->relay->store, hash, &key, os_realtime_s(), out, why);
}

static void join_print(json_t *answer, struct buf *out) {
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_decref(answer);
    (void)buf_printf(out, "%s\n", text ? text : "{\"error\":\"out of memory\"}");
    free(text);
}

int join_run(struct peer *peer, const char *line, struct buf *out) {
    struct invite_result result;
    struct why why = {""};
    int rc = join_redeem(peer, line, &result, &why);
    if (rc < 0) {
        const char *text = why.text[0] ? why.text : err_text(rc);
        relay_audit(peer->relay, ssh_conn_peer(peer->conn), "join", "", "refused", text);
        join_print(json_pack("{s:s}", "error", text), out);
        return 1;
    }
    relay_audit(peer->relay, result.name, "join", result.kind == INVITE_MACHINE ? "machine" : "user", "ok",
                peer->key->fingerprint);
    log_info("%s joined from %s with the key %s", result.name, ssh_conn_peer(peer->conn), peer->key->fingerprint);
    if (result.replaced)
        peer->relay->verbs.changed(peer->relay->verbs.ctx);
    if (result.kind == INVITE_MACHINE)
        join_print(json_pack("{s:s,s:s}", "joined", "machine", "name", result.name), out);
    else
        join_print(json_pack("{s:s,s:s,s:s}", "joined", "user", "name", result.name, "role", role_name(result.role)),
                   out);
    return 0;
}
