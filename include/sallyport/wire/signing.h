/* Ed25519 signatures (RFC 8032) and keyed hashes, by OpenSSL. */
#ifndef SALLYPORT_WIRE_SIGNING_H
#define SALLYPORT_WIRE_SIGNING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/err.h"

enum { SIGNING_SEED_SIZE = 32, SIGNING_PUBLIC_SIZE = 32, SIGNING_SIGNATURE_SIZE = 64, SIGNING_MAC_SIZE = 32 };

/* A private key. */
struct signing_key;

/* From 32 secret bytes, which the caller wipes. SP_ENOMEM, SP_ECRYPTO. signing_key_free wipes; NULL is allowed. */
int signing_key_new(const uint8_t seed[static SIGNING_SEED_SIZE], struct signing_key **out);
void signing_key_free(struct signing_key *key);
const uint8_t *signing_key_public(const struct signing_key *key); /* 32 bytes, the key's */

/* 0 or SP_ECRYPTO. The purpose (a constant text) is signed with the message, so that a signature for one is none for
 * another: what is signed is PURPOSE, a zero byte, MESSAGE. */
int signing_sign(const struct signing_key *key, const char *purpose, const void *message, size_t n,
                 uint8_t signature[static SIGNING_SIGNATURE_SIZE]);
/* 0, or SP_ECRYPTO when it is not that key's signature. */
int signing_check(const uint8_t public_key[static SIGNING_PUBLIC_SIZE], const char *purpose, const void *message,
                  size_t n, const uint8_t signature[static SIGNING_SIGNATURE_SIZE]);

/* HMAC-SHA-256 (RFC 2104): derives secrets from a secret. 0 or SP_ECRYPTO. */
int signing_mac(const uint8_t key[static 32], const void *message, size_t n, uint8_t mac[static SIGNING_MAC_SIZE]);

#endif
