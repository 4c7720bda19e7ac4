/* A page on this computer's loopback that sends its user's browser on, once. What logs the browser in is in the answer,
 * so it stands neither on a command line nor in an address that others can see. */
#ifndef SALLYPORT_CLI_HANDOVER_H
#define SALLYPORT_CLI_HANDOVER_H

#include <stdint.h>

#include "sallyport/base/err.h"
#include "sallyport/base/secret.h"

enum { HANDOVER_URL_SIZE = 80 };

struct handover {
    int listener;
    uint16_t port; /* of 127.0.0.1 */
    char code[SECRET_TOKEN_LEN + 1];
};

/* Listens. 0 or SP_ESYS, with why. */
int handover_init(struct handover *handover, struct why *why);
void handover_fini(struct handover *handover);

/* "http://127.0.0.1:PORT/CODE" */
void handover_url(const struct handover *handover, char to[static HANDOVER_URL_SIZE]);

/* Waits until the browser has come, and sends it to `location`, with `fields`: header lines that each end with CRLF, or
 * "". Processes of other users of this computer are refused where /proc tells whose a connection is. 0; SP_ETIMEOUT:
 * nobody came within so many seconds; SP_ESYS. */
int handover_serve(struct handover *handover, const char *location, const char *fields, unsigned seconds);

#endif
