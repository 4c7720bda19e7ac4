/* A local port that leads to a service of a machine for as long as the command runs: `ssh -N -L`, by the machine's own
 * sshd over the best route, or by the relay's SSH, which needs no account on the machine. */
#ifndef SALLYPORT_CLI_TUNNEL_H
#define SALLYPORT_CLI_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "box_services.h"
#include "cli_local.h"
#include "watch.h"

struct tunnel {
    const struct cli *cli;
    const char *box;
    struct box_service service;
    uint16_t local; /* of 127.0.0.1 */
    bool try_sshd;  /* the machine's sshd first */
    bool by_sshd;   /* what it became */
    struct watch watch;
};

/* Chooses the local port: the wanted one; for 0 the service's own, or a free one when that is taken. SP_EBUSY with why
 * when the wanted one is taken. */
int tunnel_choose_port(uint16_t wanted, uint16_t usual, uint16_t *out, struct why *why);
/* Keeps it up until a signal ends the command; calls ready(ctx) once, when the port leads to the service for the first
 * time, with the signals of `watch` held back. When it is lost it is set up again, on the same port. Returns the exit
 * status of the command. */
int tunnel_run(struct tunnel *tunnel, void (*ready)(void *ctx, struct tunnel *tunnel), void *ctx);

#endif
