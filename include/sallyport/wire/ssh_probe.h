/* Asks an SSH server what it shows to strangers: its host key, and which ways to log in it offers; by libssh. */
#ifndef SALLYPORT_WIRE_SSH_PROBE_H
#define SALLYPORT_WIRE_SSH_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/base/err.h"

struct ssh_probe {
    char host_key[1100]; /* "ssh-ed25519 AAAA...": the one that it shows first */
    /* Of its logins, when they were asked for: */
    bool password;    /* "password" */
    bool interactive; /* "keyboard-interactive": with most servers a password, too */
    bool open;        /* it lets anybody in, without any proof */
};

/* Connects to an address in figures; with `logins` it also asks for login `none` (RFC 4252 section 5.2) as a user that
 * hardly anybody has. Blocks, at most about timeout_s a step: for base/work. SP_ECLOSED: no SSH server answers there;
 * SP_EFORMAT: it does not say; SP_ECRYPTO: its host key is of no use; SP_ENOMEM. */
int ssh_probe_ask(const char *host, uint16_t port, unsigned timeout_s, bool logins, struct ssh_probe *out);

#endif
