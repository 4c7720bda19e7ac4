/* invite, login, whoami: how people and machines come in. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/join_url.h"
#include "sallyport/store/invites.h"
#include "sallyport/store/logins.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"
#include "sallyport/wire/digest.h"
#include "verbs_local.h"

#define INVITE_DEFAULT_S (24 * 3600)
#define INVITE_MIN_S 60
#define INVITE_MAX_S (30 * 86400)
#define LOGIN_S 600

/* A new token and what is kept of it. 0, or has said that it cannot be had. */
static int make_token(const struct verb_call *call, char token[static SECRET_TOKEN_LEN + 1],
                      uint8_t hash[static STORE_HASH_SIZE]) {
    int rc = secret_token(token);
    if (!rc)
        rc = digest_sha256(token, SECRET_TOKEN_LEN, hash);
    return verb_end(call, rc);
}

static int check_duration(struct verb_call *call) {
    if (call->duration == 0)
        call->duration = INVITE_DEFAULT_S;
    if (call->duration >= INVITE_MIN_S && call->duration <= INVITE_MAX_S)
        return 0;
    verb_say(call, "an invite is good for 1 minute to 30 days: --for 24h");
    return VERB_USAGE;
}

/* Is the name there already, as one of the invited kind? */
static int look_up(const struct verb_call *call, const struct invite *invite, bool *there) {
    struct user user;
    struct machine machine;
    int rc = invite->kind == INVITE_USER ? store_user_find(call->store, invite->name, &user)
                                         : store_machine_find(call->store, invite->name, &machine);
    *there = rc == 0;
    return rc == SP_ENOENT ? 0 : rc;
}

/* Checks the name, writes the invite down, and makes the token, which the caller wipes. 0, or an exit status. */
static int make_invite(struct verb_call *call, enum invite_kind kind, bool *there,
                       char token[static SECRET_TOKEN_LEN + 1]) {
    struct invite invite = {.kind = kind, .role = call->admin ? ROLE_ADMIN : ROLE_MEMBER};
    uint8_t hash[STORE_HASH_SIZE];
    struct why why = {""};
    int status = check_duration(call);
    if (status)
        return status;
    if (name_check(call->args[0], &why))
        return verb_fail(call, "%s", why.text);
    memcpy(invite.name, call->args[0], strlen(call->args[0]) + 1);
    memcpy(invite.created_by, call->who, sizeof(invite.created_by));
    invite.created = call->now;
    invite.expires = call->now + (int64_t)call->duration;
    status = verb_end(call, look_up(call, &invite, there));
    if (status)
        return status;
    if (*there && call->admin)
        return verb_fail(call, "%s is there already: --admin is for new users", invite.name);
    status = make_token(call, token, hash);
    if (status)
        return status;
    int rc = store_invite_add(call->store, hash, &invite, &why);
    return verb_changed(call, rc, invite.name, call->admin ? "admin" : NULL, &why);
}

static void say_how_long(const struct verb_call *call) {
    char text[32];
    str_ago(text, sizeof(text), call->duration);
    verb_say(call, "good for %s, once", text);
}

int verb_invite_machine(struct verb_call *call) {
    struct join_url url = {.port = call->verbs->port};
    char text[JOIN_URL_SIZE];
    bool there = false;
    int status = make_invite(call, INVITE_MACHINE, &there, url.token);
    if (status)
        return status;
    int rc = str_copy(url.host, sizeof(url.host), call->verbs->host);
    if (!rc)
        rc = str_copy(url.fingerprint, sizeof(url.fingerprint), call->verbs->fingerprint);
    if (!rc)
        rc = join_url_format(text, &url);
    if (!rc)
        rc = buf_printf(call->out, "sallyport-agent join '%s'\n", text);
    secret_wipe(text, sizeof(text));
    secret_wipe(&url, sizeof(url));
    if (rc)
        return verb_end(call, rc);
    verb_say(call, "paste that line on %s;", call->args[0]);
    say_how_long(call);
    if (there)
        verb_say(call, "%s is there already: joining again replaces its key", call->args[0]);
    return VERB_DONE;
}

int verb_invite_user(struct verb_call *call) {
    char token[SECRET_TOKEN_LEN + 1];
    bool there = false;
    int status = make_invite(call, INVITE_USER, &there, token);
    if (status)
        return status;
    int rc =
        buf_printf(call->out, "echo %s | ssh -p %u join@%s\n", token, (unsigned)call->verbs->port, call->verbs->host);
    secret_wipe(token, sizeof(token));
    if (rc)
        return verb_end(call, rc);
    verb_say(call, "send that line to %s, by a way that nobody else reads;", call->args[0]);
    say_how_long(call);
    verb_say(call, "the key that ssh offers with it is the one that is registered;");
    verb_say(call, "asked for the relay's host key, ssh must show %s", call->verbs->fingerprint);
    if (there)
        verb_say(call, "%s is there already: this adds one more key", call->args[0]);
    return VERB_DONE;
}

static json_t *invite_json(const struct invite *invite) {
    bool user = invite->kind == INVITE_USER;
    json_t *object = json_pack("{s:I, s:s, s:s, s:s}", "id", (json_int_t)invite->id, "kind", user ? "user" : "machine",
                               "name", invite->name, "created_by", invite->created_by);
    if (object && (!user || json_object_set_new(object, "role", json_string(role_name(invite->role))) == 0) &&
        verb_json_time(object, "created", invite->created) && verb_json_time(object, "expires", invite->expires))
        return object;
    json_decref(object);
    return NULL;
}

static int print_json(const struct verb_call *call, const struct invite *invites, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < count; i++) {
        if (json_array_append_new(array, invite_json(&invites[i]))) {
            json_decref(array);
            array = NULL;
        }
    }
    return verb_print_json(call, array);
}

static int print_table(const struct verb_call *call, const struct invite *invites, size_t count) {
    static const char *const headings[] = {"ID", "KIND", "NAME", "ROLE", "BY", "EXPIRES"};
    struct table table;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = 0; i < count; i++) {
        const struct invite *invite = &invites[i];
        bool user = invite->kind == INVITE_USER;
        char id[24], expires[21];
        snprintf(id, sizeof(id), "%lld", (long long)invite->id);
        verb_time(expires, invite->expires);
        table_row(&table, (const char *[]){id, user ? "user" : "machine", invite->name,
                                           user ? role_name(invite->role) : NULL, invite->created_by, expires});
    }
    return verb_print(call, &table);
}

int verb_invite_list(struct verb_call *call) {
    struct invite *invites;
    size_t count;
    int rc = store_invite_list(call->store, call->now, &invites, &count);
    if (rc)
        return verb_end(call, rc);
    int status = call->json ? print_json(call, invites, count) : print_table(call, invites, count);
    free(invites);
    return status;
}

int verb_invite_remove(struct verb_call *call) {
    uint64_t id;
    int rc = str_u64(call->args[0], 1, INT64_MAX, &id) ? SP_ENOENT : store_invite_remove(call->store, (int64_t)id);
    if (rc == SP_ENOENT)
        return verb_fail(call, "there is no open invite '%s': 'invite list' shows them", call->args[0]);
    int status = verb_changed(call, rc, call->args[0], NULL, NULL);
    if (!status)
        verb_say(call, "removed the invite %s", call->args[0]);
    return status;
}

int verb_login(struct verb_call *call) {
    char token[SECRET_TOKEN_LEN + 1], port[8] = "";
    uint8_t hash[STORE_HASH_SIZE];
    bool v6 = strchr(call->verbs->host, ':') != NULL;
    int status = make_token(call, token, hash);
    if (status)
        return status;
    int rc = store_login_add(call->store, hash, call->subject.id, call->now, call->now + LOGIN_S);
    if (call->verbs->port != 443)
        snprintf(port, sizeof(port), ":%u", (unsigned)call->verbs->port);
    if (!rc)
        rc = buf_printf(call->out, "https://%s%s%s%s/login/%s\n", v6 ? "[" : "", call->verbs->host, v6 ? "]" : "", port,
                        token);
    secret_wipe(token, sizeof(token));
    status = verb_changed(call, rc, call->who, NULL, NULL);
    if (!status)
        verb_say(call, "good for %d minutes, once", LOGIN_S / 60);
    return status;
}

int verb_whoami(struct verb_call *call) {
    bool user = call->subject.kind == SUBJECT_USER;
    bool all = verb_may(call, ACTION_ADMINISTER);
    const char *role = user ? role_name(call->subject.role) : "operator";
    json_t *grants = user ? verb_grants(call, call->subject.id) : json_array();
    size_t i;
    json_t *name;
    if (call->json)
        return verb_print_json(call, json_pack("{s:s, s:s, s:o}", "name", call->who, "role", role, "grants", grants));
    int rc = grants ? buf_printf(call->out, "%s (%s)\n", call->who, role) : SP_ENOMEM;
    if (!rc && all)
        rc = buf_printf(call->out, "may reach every machine\n");
    json_array_foreach(grants, i, name) {
        if (!rc && !all)
            rc = buf_printf(call->out, "may reach %s\n", json_string_value(name));
    }
    json_decref(grants);
    return verb_end(call, rc);
}
