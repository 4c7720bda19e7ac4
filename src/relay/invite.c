#include "invite.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"
#include "sallyport/wire/digest.h"

#define DEFAULT_S (24 * 3600)
#define MIN_S 60
#define MAX_S (30 * 86400)

/* Is the name there already, as one of the invited kind? */
static int look_up(const struct invite_order *order, bool *there) {
    struct user user;
    struct machine machine;
    int rc = order->kind == INVITE_USER ? store_user_find(order->store, order->name, &user)
                                        : store_machine_find(order->store, order->name, &machine);
    *there = rc == 0;
    return rc == SP_ENOENT ? 0 : rc;
}

/* What can be said before anything is written. */
static int check(const struct invite_order *order, struct invite_made *made, struct why *why) {
    uint64_t duration = order->duration_s ? order->duration_s : DEFAULT_S;
    if (duration < MIN_S || duration > MAX_S) {
        why_set(why, "an invite is good for 1 minute to 30 days, such as 24h");
        return SP_ETOOBIG;
    }
    int rc = name_check(order->name, why);
    if (!rc)
        rc = str_copy(made->invite.name, sizeof(made->invite.name), order->name);
    if (!rc)
        rc = str_copy(made->invite.created_by, sizeof(made->invite.created_by), order->by);
    if (!rc)
        rc = look_up(order, &made->there);
    if (!rc && made->there && order->admin) {
        why_set(why, "%s is there already: only new users can be invited as admins", order->name);
        rc = SP_EINVAL;
    }
    made->invite.expires = order->now + (int64_t)duration;
    return rc;
}

int invite_make(const struct invite_order *order, struct invite_made *out, struct why *why) {
    struct invite_made made = {
        .invite = {.kind = order->kind, .role = order->admin ? ROLE_ADMIN : ROLE_MEMBER, .created = order->now}};
    uint8_t hash[STORE_HASH_SIZE];
    int rc = check(order, &made, why);
    if (!rc)
        rc = secret_token(made.token);
    if (!rc)
        rc = digest_sha256(made.token, SECRET_TOKEN_LEN, hash);
    if (!rc)
        rc = store_invite_add(order->store, hash, &made.invite, why);
    if (!rc)
        *out = made;
    secret_wipe(made.token, sizeof(made.token));
    return rc;
}

int invite_url(const struct invite_place *place, const struct invite_made *made, char to[static JOIN_URL_SIZE]) {
    struct join_url url = {.port = place->port};
    int rc = str_copy(url.host, sizeof(url.host), place->host);
    if (!rc)
        rc = str_copy(url.fingerprint, sizeof(url.fingerprint), place->fingerprint);
    if (!rc)
        rc = str_copy(url.token, sizeof(url.token), made->token);
    if (!rc)
        rc = join_url_format(to, &url);
    secret_wipe(&url, sizeof(url));
    return rc;
}

int invite_line(const struct invite_place *place, const struct invite_made *made, struct buf *out) {
    char url[JOIN_URL_SIZE];
    if (made->invite.kind == INVITE_USER)
        return buf_printf(out, "echo %s | ssh -p %u join@%s\n", made->token, (unsigned)place->port, place->host);
    int rc = invite_url(place, made, url);
    if (!rc)
        rc = buf_printf(out, "sallyport-agent join '%s'\n", url);
    secret_wipe(url, sizeof(url));
    return rc;
}

struct json_t *invite_json(const struct invite *invite) {
    bool user = invite->kind == INVITE_USER;
    json_t *object = json_pack("{s:I, s:s, s:s, s:s}", "id", (json_int_t)invite->id, "kind", user ? "user" : "machine",
                               "name", invite->name, "created_by", invite->created_by);
    if (object && (!user || json_object_set_new(object, "role", json_string(role_name(invite->role))) == 0) &&
        jsonline_set_time(object, "created", invite->created) && jsonline_set_time(object, "expires", invite->expires))
        return object;
    json_decref(object);
    return NULL;
}

int invite_list_json(struct store *store, int64_t now, struct json_t **out) {
    struct invite *invites;
    size_t count, i = 0;
    int rc = store_invite_list(store, now, &invites, &count);
    if (rc)
        return rc;
    json_t *array = json_array();
    while (i < count && json_array_append_new(array, invite_json(&invites[i])) == 0)
        i++;
    free(invites);
    if (!array || i < count) {
        json_decref(array);
        return SP_ENOMEM;
    }
    *out = array;
    return 0;
}
