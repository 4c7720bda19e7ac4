#include "sallyport/wire/digest.h"

#include <openssl/evp.h>

#include "sallyport/base/err.h"

int digest_sha256(const void *bytes, size_t n, uint8_t out[static DIGEST_SIZE]) {
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(bytes, n, digest, &size, EVP_sha256(), NULL) != 1 || size != DIGEST_SIZE)
        return SP_ECRYPTO;
    for (size_t i = 0; i < DIGEST_SIZE; i++)
        out[i] = digest[i];
    return 0;
}
