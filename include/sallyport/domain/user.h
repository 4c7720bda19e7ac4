/* A user: a person with SSH keys on the relay. */
#ifndef SALLYPORT_DOMAIN_USER_H
#define SALLYPORT_DOMAIN_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/domain/name.h"

enum role { ROLE_MEMBER, ROLE_ADMIN };

struct user {
    int64_t id;
    char name[SP_NAME_SIZE];
    enum role role;
    bool disabled;
    int64_t created; /* UTC seconds */
};

/* "member", "admin". */
const char *role_name(enum role role);
/* 0, or SP_EINVAL for any other word. */
int role_parse(const char *text, enum role *out);

#endif
