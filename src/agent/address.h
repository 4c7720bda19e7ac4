/* USER@HOST:PORT, as mode = plain writes it. */
#ifndef SALLYPORT_AGENT_ADDRESS_H
#define SALLYPORT_AGENT_ADDRESS_H

#include <stdint.h>

#include "sallyport/base/err.h"

struct login_address {
    char user[64];
    char host[256]; /* IPv6 without brackets */
    uint16_t port;  /* 22 when none is given */
};

/* SP_EINVAL with why. */
int login_address_parse(const char *text, struct login_address *out, struct why *why);

#endif
