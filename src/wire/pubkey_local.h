/* Keys as libssh holds them, for the SSH files of this room. */
#ifndef SALLYPORT_WIRE_PUBKEY_LOCAL_H
#define SALLYPORT_WIRE_PUBKEY_LOCAL_H

#include <libssh/libssh.h>

#include "sallyport/wire/pubkey.h"

/* The text forms of a key, without comment. 0, SP_ECRYPTO or SP_ETOOBIG. */
int pubkey_from_key(ssh_key key, struct pubkey *out);
/* Stays the pair's. */
ssh_key keypair_key(const struct keypair *pair);

#endif
