/* session: the browsers that are logged in, and their end, for people who have lost one. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "sallyport/base/str.h"
#include "sallyport/relay/web.h"
#include "sallyport/store/logins.h"
#include "sallyport/store/users.h"
#include "session_json.h"
#include "verbs_local.h"

/* The user called `name`, or who asks. 0, or an exit status. */
static int find_user(const struct verb_call *call, const char *name, struct verb_owner *out) {
    int status = verb_find_owner(call, name, out);
    if (!status && out->kind == KEY_OWNER_NONE)
        return verb_fail(call, "whose? Name a user: the operator has no account");
    if (!status && out->kind == KEY_OWNER_MACHINE)
        return verb_fail(call, "%s is a machine: browsers log in for users", out->name);
    return status;
}

static int print_json(const struct verb_call *call, const struct session_row *rows, size_t count) {
    json_t *array = json_array();
    size_t i = 0;
    while (i < count && json_array_append_new(array, session_json(&rows[i])) == 0)
        i++;
    if (i < count) {
        json_decref(array);
        array = NULL;
    }
    return verb_print_json(call, array);
}

static int print_table(const struct verb_call *call, const struct session_row *rows, size_t count) {
    static const char *const headings[] = {"ID", "SINCE", "LAST USED", "FROM", "BROWSER"};
    struct table table;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = 0; i < count; i++) {
        char id[24], created[21], used[21];
        snprintf(id, sizeof(id), "%lld", (long long)rows[i].id);
        verb_time(created, rows[i].created);
        verb_time(used, rows[i].last_used);
        table_row(&table, (const char *[]){id, created, used, rows[i].address, rows[i].agent});
    }
    return verb_print(call, &table);
}

int verb_session_list(struct verb_call *call) {
    struct verb_owner owner;
    struct session_row *rows;
    size_t count;
    int status = find_user(call, call->count > 0 ? call->args[0] : NULL, &owner);
    if (status)
        return status;
    int rc = store_session_list(call->store, owner.id, call->now, WEB_SESSION_IDLE_S, &rows, &count);
    if (rc)
        return verb_end(call, rc);
    status = call->json ? print_json(call, rows, count) : print_table(call, rows, count);
    free(rows);
    return status;
}

static int remove_all(struct verb_call *call) {
    struct verb_owner owner;
    int status = find_user(call, call->count > 0 ? call->args[0] : NULL, &owner);
    if (!status)
        status = verb_changed(call, store_session_remove_others(call->store, owner.id, 0), owner.name, "all", NULL);
    if (status)
        return status;
    call->verbs->changed(call->verbs->ctx);
    verb_say(call, "logged all browsers of %s out", owner.name);
    return VERB_DONE;
}

static int remove_one(struct verb_call *call) {
    struct session session = {.id = 0};
    uint64_t id;
    int rc = str_u64(call->args[0], 1, INT64_MAX, &id) ? SP_ENOENT : 0;
    if (!rc)
        rc = store_session_get(call->store, (int64_t)id, call->now, WEB_SESSION_IDLE_S, &session);
    bool own = !rc && call->subject.kind == SUBJECT_USER && session.user.id == call->subject.id;
    if (rc == SP_ENOENT || rc == SP_EEXPIRED || (!rc && !own && !verb_may(call, ACTION_ADMINISTER))) {
        verb_audit(call, call->args[0], "refused", NULL);
        return verb_fail(call, "there is no such session: 'session list' shows them");
    }
    if (!rc)
        rc = store_session_remove(call->store, session.id);
    int status = verb_changed(call, rc, session.user.name, call->args[0], NULL);
    if (status)
        return status;
    call->verbs->changed(call->verbs->ctx);
    verb_say(call, "logged the browser %s of %s out", call->args[0], session.user.name);
    return VERB_DONE;
}

int verb_session_remove(struct verb_call *call) {
    if (call->all)
        return remove_all(call);
    if (call->count == 1)
        return remove_one(call);
    verb_say(call, "which one? Its ID, as 'session list' shows it, or --all");
    return VERB_USAGE;
}
