/* Sealed messages: ChaCha20-Poly1305 (RFC 8439) under a key that both sides have, as one word of base64url; by OpenSSL.
 * For one question and one answer on a fresh connection, where TLS would cost a round trip more. */
#ifndef SALLYPORT_WIRE_SEALED_H
#define SALLYPORT_WIRE_SEALED_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"

enum {
    SEALED_KEY_SIZE = 32,
    SEALED_NONCE_SIZE = 12,
    SEALED_TAG_SIZE = 16,
    SEALED_MAX = 12288 /* bytes of a message */
};

/* Appends nonce (random), ciphertext and tag, in base64url, to `out`. `bound` is what the message belongs to (may be
 * NULL with 0 bytes): it opens with the same only. `nonce` (may be NULL) gets the nonce. SP_ETOOBIG, SP_ECRYPTO,
 * SP_ENOMEM. */
int sealed_make(const uint8_t key[static SEALED_KEY_SIZE], const void *bound, size_t bound_len, const void *message,
                size_t n, struct buf *out, uint8_t *nonce);
/* Appends the message to `out`. SP_EFORMAT: no such text; SP_ECRYPTO: made by another key, bound to something else, or
 * changed on the way. */
int sealed_open(const uint8_t key[static SEALED_KEY_SIZE], const void *bound, size_t bound_len, const char *text,
                size_t len, struct buf *out, uint8_t *nonce);

#endif
