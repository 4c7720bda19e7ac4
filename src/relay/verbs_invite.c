/* invite, login, whoami: how people and machines come in. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "invite.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/store/logins.h"
#include "sallyport/wire/digest.h"
#include "verbs_local.h"

#define LOGIN_S 600

/* A new token and what is kept of it. 0, or has said that it cannot be had. */
static int make_token(const struct verb_call *call, char token[static SECRET_TOKEN_LEN + 1],
                      uint8_t hash[static STORE_HASH_SIZE]) {
    int rc = secret_token(token);
    if (!rc)
        rc = digest_sha256(token, SECRET_TOKEN_LEN, hash);
    return verb_end(call, rc);
}

/* Makes what the arguments say; the token in it is the caller's to wipe. 0, or an exit status. */
static int make_invite(const struct verb_call *call, enum invite_kind kind, struct invite_made *made) {
    struct invite_order order = {
        .store = call->store,
        .kind = kind,
        .name = call->args[0],
        .admin = call->admin,
        .by = call->who,
        .now = call->now,
        .duration_s = call->duration,
    };
    struct why why = {""};
    int rc = invite_make(&order, made, &why);
    if (rc == SP_ETOOBIG) {
        verb_say(call, "%s", why.text);
        return VERB_USAGE;
    }
    if (rc == SP_EINVAL)
        return verb_fail(call, "%s", why.text);
    return verb_changed(call, rc, order.name, order.admin ? "admin" : NULL, &why);
}

/* Prints the line to paste, and for a person, behind that for ssh alone, the one for the client; wipes the token. */
static int print_line(const struct verb_call *call, struct invite_made *made) {
    const struct invite_place place = {call->verbs->host, call->verbs->port, call->verbs->fingerprint};
    char url[JOIN_URL_SIZE];
    int rc = invite_line(&place, made, call->out);
    if (!rc && made->invite.kind == INVITE_USER) {
        rc = invite_url(&place, made, url);
        if (!rc)
            rc = buf_printf(call->out, "sallyport join '%s'\n", url);
        secret_wipe(url, sizeof(url));
    }
    secret_wipe(made->token, sizeof(made->token));
    return verb_end(call, rc);
}

static void say_how_long(const struct verb_call *call, const struct invite *invite) {
    char text[32];
    str_ago(text, sizeof(text), (uint64_t)(invite->expires - invite->created));
    verb_say(call, "good for %s, once", text);
}

int verb_invite_machine(struct verb_call *call) {
    struct invite_made made;
    int status = make_invite(call, INVITE_MACHINE, &made);
    if (!status)
        status = print_line(call, &made);
    if (status)
        return status;
    verb_say(call, "paste that line on %s;", call->args[0]);
    say_how_long(call, &made.invite);
    if (made.there)
        verb_say(call, "%s is there already: joining again replaces its key", call->args[0]);
    return VERB_DONE;
}

int verb_invite_user(struct verb_call *call) {
    struct invite_made made;
    int status = make_invite(call, INVITE_USER, &made);
    if (!status)
        status = print_line(call, &made);
    if (status)
        return status;
    verb_say(call, "send one of these lines to %s, by a way that nobody else reads: the first needs ssh alone,",
             call->args[0]);
    verb_say(call, "and registers the key that ssh offers; the second is for the client;");
    say_how_long(call, &made.invite);
    verb_say(call, "asked for the relay's host key, ssh must show %s", call->verbs->fingerprint);
    if (made.there)
        verb_say(call, "%s is there already: this adds one more key", call->args[0]);
    return VERB_DONE;
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
    json_t *array = NULL;
    int rc = call->json ? invite_list_json(call->store, call->now, &array)
                        : store_invite_list(call->store, call->now, &invites, &count);
    if (rc)
        return verb_end(call, rc);
    if (call->json)
        return verb_print_json(call, array);
    int status = print_table(call, invites, count);
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

/* Browsers trust localhost without a certificate; a certificate for it they trust from nobody. */
static void say_local_login(struct verb_call *call, const char *token) {
    if (strcmp(call->verbs->host, "localhost") == 0)
        verb_say(call,
                 "in a browser on the relay's own machine, without a certificate warning: http://localhost:%u/login/%s",
                 (unsigned)call->verbs->port, token);
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
    status = verb_changed(call, rc, call->who, NULL, NULL);
    if (!status) {
        verb_say(call, "good for %d minutes, once", LOGIN_S / 60);
        say_local_login(call, token);
    }
    secret_wipe(token, sizeof(token));
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
