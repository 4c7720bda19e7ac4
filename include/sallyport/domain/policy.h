/* Policy: the one place that says who may do what. */
#ifndef SALLYPORT_DOMAIN_POLICY_H
#define SALLYPORT_DOMAIN_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/user.h"

struct grant {
    int64_t machine_id;
    char service[SP_NAME_SIZE]; /* "": all services of the machine */
};

enum subject_kind {
    SUBJECT_NOBODY,
    SUBJECT_USER,
    SUBJECT_MACHINE,
    SUBJECT_OPERATOR, /* whoever can open the control socket in the relay's state folder */
};

/* Who asks. All zero is nobody. */
struct policy_subject {
    enum subject_kind kind;
    int64_t id;           /* of the user or the machine */
    enum role role;       /* of a user */
    bool disabled;        /* of a user */
    struct grant *grants; /* of a user; owned, from malloc */
    size_t grant_count;
};

enum policy_action {
    ACTION_ASK,           /* talk to the relay at all: help, list */
    ACTION_SEE_MACHINE,   /* machine_id: that it exists, its state and status */
    ACTION_REACH_SERVICE, /* machine_id, service: open a stream to it; also, see it in lists */
    ACTION_ADMINISTER,    /* users, machines, invites, grants, other people's keys */
    ACTION_OWN_ACCOUNT,   /* whoami, login, one's own keys */
    ACTION_PUBLISH,       /* machine_id: offer services and open the link as that machine */
};

struct policy_request {
    enum policy_action action;
    int64_t machine_id;
    const char *service; /* only for ACTION_REACH_SERVICE */
};

/* Pure. Whatever no rule allows is denied: nobody and disabled users get nothing; users may ask and have their own
 * account; admins see and reach all machines and administer; members see machines with any grant of theirs and reach
 * what was granted; a machine publishes for itself only; the operator asks, sees, reaches and administers. */
bool policy_allows(const struct policy_subject *subject, const struct policy_request *request);

/* Frees the grants; the subject is nobody afterwards. */
void policy_subject_fini(struct policy_subject *subject);

#endif
