/* The rules for names, and which one was broken. */
#include "sallyport/domain/name.h"

#include <string.h>

static const char *const reserved[] = {"join", "localhost", "operator", "relay", "root", "sallyport"};

static int check(const char *what, const char *name, size_t shortest, struct why *why) {
    size_t len = strlen(name);
    if (len < shortest || len >= SP_NAME_SIZE) {
        why_set(why, "a %s has %zu to %d characters, this has %zu", what, shortest, SP_NAME_SIZE - 1, len);
        return SP_EINVAL;
    }
    if (name[0] < 'a' || name[0] > 'z') {
        why_set(why, "a %s begins with a letter a-z", what);
        return SP_EINVAL;
    }
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != len) {
        why_set(why, "a %s is made of a-z, 0-9 and - only", what);
        return SP_EINVAL;
    }
    if (strstr(name, "--") || name[len - 1] == '-') {
        why_set(why, "a %s has no -- in it and does not end in -", what);
        return SP_EINVAL;
    }
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (strcmp(name, reserved[i]) == 0) {
            why_set(why, "the name '%s' is reserved: choose another", name);
            return SP_EINVAL;
        }
    }
    return 0;
}

int name_check(const char *name, struct why *why) {
    return check("name", name, 3, why);
}

int service_name_check(const char *name, struct why *why) {
    return check("service name", name, 1, why);
}
