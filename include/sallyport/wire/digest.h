/* SHA-256 (FIPS 180-4), by OpenSSL. */
#ifndef SALLYPORT_WIRE_DIGEST_H
#define SALLYPORT_WIRE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_SIZE 32

/* 0, or SP_ECRYPTO when the library fails: then `out` must not be used. */
int digest_sha256(const void *bytes, size_t n, uint8_t out[static DIGEST_SIZE]);

#endif
