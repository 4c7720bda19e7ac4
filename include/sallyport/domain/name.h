/* Names: what users, machines and services may be called. */
#ifndef SALLYPORT_DOMAIN_NAME_H
#define SALLYPORT_DOMAIN_NAME_H

#include "sallyport/base/err.h"

/* The longest name, 31 characters, with its terminator. */
#define SP_NAME_SIZE 32

/* Users and machines share one namespace: [a-z][a-z0-9-]{2,30}, no `--`, not ending in `-`, not one of the reserved
 * words (join, localhost, operator, relay, root, sallyport). 0, or SP_EINVAL with the rule that was broken in why. */
int name_check(const char *name, struct why *why);

/* Services of one machine: the same rules, but one or two characters are enough. */
int service_name_check(const char *name, struct why *why);

#endif
