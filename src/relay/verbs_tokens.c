/* key ... --api: the tokens with which programs ask /api/v1. */
#include <jansson.h>
#include <string.h>

#include "sallyport/base/secret.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/store/users.h"
#include "sallyport/wire/digest.h"
#include "verbs_local.h"

/* A new one for that user; it is printed, and never again. */
static int make(struct verb_call *call, const struct verb_owner *owner) {
    char token[SECRET_TOKEN_LEN + 1];
    uint8_t hash[STORE_HASH_SIZE];
    struct api_token added = {.fingerprint = ""};
    int rc = secret_token(token);
    if (!rc)
        rc = digest_sha256(token, SECRET_TOKEN_LEN, hash);
    if (!rc)
        rc = store_token_add(call->store, hash, owner->id, call->api, call->now, &added);
    struct why why = {""};
    if (rc == SP_ETOOBIG)
        why_set(&why, "%s has %d API tokens already: 'key remove' one first", owner->name, STORE_TOKENS_MAX);
    if (rc == SP_EINVAL)
        why_set(&why, "the label is too long: 1 to 63 bytes");
    int status = verb_changed(call, rc, owner->name, added.fingerprint, &why);
    if (!status)
        status = verb_end(call, buf_printf(call->out, "%s%s\n", STORE_TOKEN_PREFIX, token));
    secret_wipe(token, sizeof(token));
    if (!status)
        verb_say(call, "added %s (%s) for %s; the token is shown this once only", added.fingerprint, call->api,
                 owner->name);
    return status;
}

int verb_token_add(struct verb_call *call) {
    struct verb_owner owner;
    if (call->count > 1 || verb_is_key(call, 0)) {
        verb_say(call, "either a public key, or --api LABEL for a token");
        return VERB_USAGE;
    }
    if (!call->api[0]) {
        verb_say(call, "a label is wanted, by which you will know the token again: --api backup-script");
        return VERB_USAGE;
    }
    int status = verb_find_owner(call, call->count > 0 ? call->args[0] : NULL, &owner);
    if (status)
        return status;
    if (owner.kind == KEY_OWNER_NONE)
        return verb_fail(call, "whose token is it? 'key add NAME --api ...': the operator has no account");
    if (owner.kind == KEY_OWNER_MACHINE)
        return verb_fail(call, "%s is a machine: API tokens are for users", owner.name);
    return make(call, &owner);
}

int verb_token_remove(struct verb_call *call) {
    const char *fingerprint = call->args[0];
    struct api_token token;
    struct user user = {.name = ""};
    int rc = store_token_get(call->store, fingerprint, &token);
    if (!rc)
        rc = store_user_get(call->store, token.user_id, &user);
    bool own = !rc && call->subject.kind == SUBJECT_USER && user.id == call->subject.id;
    if (rc == SP_ENOENT || (!rc && !own && !verb_may(call, ACTION_ADMINISTER))) {
        verb_audit(call, fingerprint, "refused", NULL);
        return verb_fail(call, "there is no such token: 'key list' shows the fingerprints");
    }
    if (!rc)
        rc = store_token_remove(call->store, token.id);
    int status = verb_changed(call, rc, user.name, fingerprint, NULL);
    if (status)
        return status;
    call->verbs->changed(call->verbs->ctx);
    verb_say(call, "removed %s of %s", fingerprint, user.name);
    return VERB_DONE;
}

struct json_t *verb_token_json(const struct verb_call *call, const struct api_token *token) {
    struct user user;
    if (store_user_get(call->store, token->user_id, &user))
        return NULL;
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s}", "owner", user.name, "owner_kind", "user", "fingerprint",
                               token->fingerprint, "type", "api", "label", token->label);
    if (object && jsonline_set_time(object, "created", token->created) &&
        jsonline_set_time(object, "last_used", token->last_used))
        return object;
    json_decref(object);
    return NULL;
}

void verb_token_row(const struct verb_call *call, const struct api_token *token, struct table *table) {
    struct user user;
    char created[21], used[21];
    if (store_user_get(call->store, token->user_id, &user))
        return;
    verb_time(created, token->created);
    verb_time(used, token->last_used);
    table_row(table, (const char *[]){user.name, token->fingerprint, "api", created, used, token->label});
}
