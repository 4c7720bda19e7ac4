/* Names of roles. */
#include "sallyport/domain/user.h"

#include <string.h>

const char *role_name(enum role role) {
    return role == ROLE_ADMIN ? "admin" : "member";
}

int role_parse(const char *text, enum role *out) {
    if (strcmp(text, "admin") == 0)
        *out = ROLE_ADMIN;
    else if (strcmp(text, "member") == 0)
        *out = ROLE_MEMBER;
    else
        return SP_EINVAL;
    return 0;
}
