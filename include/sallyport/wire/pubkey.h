/* SSH public keys as text, and the key pairs that daemons own (RFC 4253 section 6.6, RFC 8709), by libssh. */
#ifndef SALLYPORT_WIRE_PUBKEY_H
#define SALLYPORT_WIRE_PUBKEY_H

#include "sallyport/base/err.h"

struct pubkey {
    char type[64];        /* "ssh-ed25519" */
    char base64[1024];    /* the key blob */
    char comment[128];    /* may be empty; clean text */
    char fingerprint[64]; /* "SHA256:" and 43 characters, as `ssh-keygen -l` prints it */
};

/* Reads one line as in authorized_keys, without options. Ed25519, ECDSA, RSA from 2048 bits, and the security-key
 * forms of the first two. SP_EFORMAT with the remedy in why (a private key was pasted, a key cut short, ...). */
int pubkey_parse(const char *line, struct pubkey *out, struct why *why);

/* A private key in memory. */
struct keypair;

/* Loads the Ed25519 key at `path` (OpenSSH format, mode 0600), or makes it when the file is not there. SP_EFORMAT,
 * SP_ESYS, SP_ECRYPTO with why. keypair_free wipes; NULL is allowed. */
int keypair_load_or_make(const char *path, struct keypair **out, struct why *why);
/* Loads only: SP_ENOENT when the file is not there. Any key type, no passphrase. */
int keypair_load(const char *path, struct keypair **out, struct why *why);
void keypair_free(struct keypair *pair);

/* The public half; lives as long as the pair. */
const struct pubkey *keypair_public(const struct keypair *pair);

#endif
