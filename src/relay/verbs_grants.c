/* grant, revoke: who may reach what. */
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/store/grants.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"
#include "verbs_local.h"

struct target {
    struct user user;
    struct machine machine;
    char service[SP_NAME_SIZE]; /* "": all */
};

/* USER BOX[/SERVICE]. 0, or an exit status. */
static int read_target(const struct verb_call *call, struct target *target) {
    char box[2 * SP_NAME_SIZE];
    struct why why;
    *target = (struct target){.service = ""};
    int rc = store_user_find(call->store, call->args[0], &target->user);
    if (rc == SP_ENOENT)
        return verb_fail(call, "there is no user '%s': 'user list' shows them", call->args[0]);
    if (rc)
        return verb_end(call, rc);
    if (str_copy(box, sizeof(box), call->args[1]))
        return verb_fail(call, "BOX or BOX/SERVICE is wanted, not '%s'", call->args[1]);
    char *slash = strchr(box, '/');
    if (slash) {
        *slash = '\0';
        if (service_name_check(slash + 1, &why))
            return verb_fail(call, "%s", why.text);
        rc = str_copy(target->service, sizeof(target->service), slash + 1);
    }
    if (!rc)
        rc = store_machine_find(call->store, box, &target->machine);
    if (rc == SP_ENOENT)
        return verb_fail(call, "there is no machine '%s': 'machine list' shows them", box);
    return verb_end(call, rc);
}

int verb_grant(struct verb_call *call) {
    struct target target;
    int status = read_target(call, &target);
    if (status)
        return status;
    int rc = store_grant_add(call->store, target.user.id, target.machine.id, target.service, call->now);
    status = verb_changed(call, rc, target.user.name, call->args[1], NULL);
    if (status)
        return status;
    call->verbs->changed(call->verbs->ctx);
    verb_say(call, "%s may reach %s now", target.user.name, call->args[1]);
    return VERB_DONE;
}

/* Nothing was taken back: is there something wider that still lets the user in? */
static int explain_nothing(const struct verb_call *call, const struct target *target) {
    struct policy_subject subject;
    struct policy_request request = {
        .action = ACTION_REACH_SERVICE,
        .machine_id = target->machine.id,
        .service = target->service,
    };
    int rc = store_user_subject(call->store, target->user.id, &subject);
    if (rc)
        return verb_end(call, rc);
    bool reaches = policy_allows(&subject, &request);
    policy_subject_fini(&subject);
    if (target->user.role == ROLE_ADMIN)
        return verb_fail(call, "%s has no such grant, but reaches every machine as an admin", target->user.name);
    if (reaches)
        return verb_fail(call, "%s was granted all of %s: 'revoke %s %s' takes that back", target->user.name,
                         target->machine.name, target->user.name, target->machine.name);
    return verb_fail(call, "%s has no such grant", target->user.name);
}

int verb_revoke(struct verb_call *call) {
    struct target target;
    int status = read_target(call, &target);
    if (status)
        return status;
    int rc = store_grant_remove(call->store, target.user.id, target.machine.id, target.service);
    if (rc == SP_ENOENT) {
        verb_audit(call, target.user.name, "failed", call->args[1]);
        return explain_nothing(call, &target);
    }
    status = verb_changed(call, rc, target.user.name, call->args[1], NULL);
    if (status)
        return status;
    call->verbs->changed(call->verbs->ctx);
    call->verbs->lost(call->verbs->ctx, target.user.id, target.user.name, false);
    verb_say(call, "took %s back from %s", call->args[1], target.user.name);
    return VERB_DONE;
}
