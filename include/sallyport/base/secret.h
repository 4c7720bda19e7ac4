/* Secrets: random bytes, comparison in constant time, wiping, and the text forms bytes travel in. */
#ifndef SALLYPORT_BASE_SECRET_H
#define SALLYPORT_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From the kernel (getrandom). 0 or SP_ESYS: then use nothing. */
int secret_random(void *to, size_t n);
bool secret_equal(const void *a, const void *b, size_t n);
void secret_wipe(void *bytes, size_t n);

/* A one-use token: 32 random bytes as 43 characters of base64url (RFC 4648 section 5, no padding). */
#define SECRET_TOKEN_LEN 43
int secret_token(char to[static SECRET_TOKEN_LEN + 1]);
/* Exactly 43 characters of that alphabet. */
bool secret_is_token(const char *text);

/* Lower-case hex; `to` holds 2n+1. */
void hex_encode(char *to, const void *bytes, size_t n);
/* RFC 4648 base64, standard alphabet, without padding (as in SHA256: fingerprints); `to` holds (n*4+2)/3 + 1. */
void base64_encode(char *to, const void *bytes, size_t n);

/* RFC 4648 section 5 (base64url), without padding. Room for the text of n bytes with its end: */
#define BASE64URL_SIZE(n) (((n)*4 + 2) / 3 + 1)
void base64url_encode(char *to, const void *bytes, size_t n);
/* Strict: that alphabet only, no padding, no stray bits; at most `size` bytes. SP_EFORMAT or SP_ETOOBIG. */
int base64url_decode(const char *text, size_t len, uint8_t *to, size_t size, size_t *n);

#endif
