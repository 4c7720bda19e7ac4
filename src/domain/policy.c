/* Who may do what. */
#include "sallyport/domain/policy.h"

#include <stdlib.h>
#include <string.h>

static bool operator_allows(enum policy_action action) {
    switch (action) {
    case ACTION_ASK:
    case ACTION_SEE_MACHINE:
    case ACTION_REACH_SERVICE:
    case ACTION_ADMINISTER:
        return true;
    case ACTION_OWN_ACCOUNT:
    case ACTION_PUBLISH:
        break;
    }
    return false;
}

/* `service` NULL: any grant on the machine will do. */
static bool is_granted(const struct policy_subject *subject, int64_t machine_id, const char *service) {
    for (size_t i = 0; i < subject->grant_count; i++) {
        const struct grant *grant = &subject->grants[i];
        if (grant->machine_id != machine_id)
            continue;
        if (!service || grant->service[0] == '\0' || strcmp(grant->service, service) == 0)
            return true;
    }
    return false;
}

static bool user_allows(const struct policy_subject *subject, const struct policy_request *request) {
    bool admin = subject->role == ROLE_ADMIN;
    if (subject->disabled)
        return false;
    switch (request->action) {
    case ACTION_ASK:
    case ACTION_OWN_ACCOUNT:
        return true;
    case ACTION_SEE_MACHINE:
        return admin || is_granted(subject, request->machine_id, NULL);
    case ACTION_REACH_SERVICE:
        return request->service && (admin || is_granted(subject, request->machine_id, request->service));
    case ACTION_ADMINISTER:
        return admin;
    case ACTION_PUBLISH:
        break;
    }
    return false;
}

bool policy_allows(const struct policy_subject *subject, const struct policy_request *request) {
    switch (subject->kind) {
    case SUBJECT_USER:
        return user_allows(subject, request);
    case SUBJECT_MACHINE:
        return request->action == ACTION_PUBLISH && request->machine_id == subject->id;
    case SUBJECT_OPERATOR:
        return operator_allows(request->action);
    case SUBJECT_NOBODY:
        break;
    }
    return false;
}

void policy_subject_fini(struct policy_subject *subject) {
    free(subject->grants);
    *subject = (struct policy_subject){.kind = SUBJECT_NOBODY};
}
