#include "sallyport/wire/sealed.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/secret.h"

enum { AROUND = SEALED_NONCE_SIZE + SEALED_TAG_SIZE };

/* `from` may be NULL with 0 bytes, which means to OpenSSL that there is nothing more. */
static bool update(EVP_CIPHER_CTX *context, uint8_t *to, const void *from, size_t n) {
    int len;
    return n == 0 || EVP_CipherUpdate(context, to, &len, from, (int)n) == 1;
}

/* One way or the other, by `encrypt`; the tag is written or compared. */
static int run(int encrypt, const uint8_t *key, const uint8_t *nonce, const void *bound, size_t bound_len,
               const uint8_t *from, size_t n, uint8_t *to, uint8_t *tag) {
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int rc = SP_ECRYPTO, len;
    uint8_t rest[EVP_MAX_BLOCK_LENGTH];
    if (!context || bound_len > SEALED_MAX)
        goto out;
    if (EVP_CipherInit_ex(context, EVP_chacha20_poly1305(), NULL, key, nonce, encrypt) != 1)
        goto out;
    if (!encrypt && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, SEALED_TAG_SIZE, tag) != 1)
        goto out;
    if (!update(context, NULL, bound, bound_len) || !update(context, to, from, n))
        goto out;
    if (EVP_CipherFinal_ex(context, rest, &len) != 1 || len != 0)
        goto out;
    if (encrypt && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, SEALED_TAG_SIZE, tag) != 1)
        goto out;
    rc = 0;
out:
    EVP_CIPHER_CTX_free(context);
    return rc;
}

int sealed_make(const uint8_t key[static SEALED_KEY_SIZE], const void *bound, size_t bound_len, const void *message,
                size_t n, struct buf *out, uint8_t *nonce) {
    uint8_t *text, *bytes;
    size_t size = n + AROUND;
    if (n > SEALED_MAX)
        return SP_ETOOBIG;
    bytes = malloc(size);
    if (!bytes)
        return SP_ENOMEM;
    int rc = SP_ECRYPTO;
    if (secret_random(bytes, SEALED_NONCE_SIZE))
        goto out;
    rc = run(1, key, bytes, bound, bound_len, message, n, bytes + SEALED_NONCE_SIZE, bytes + SEALED_NONCE_SIZE + n);
    if (rc)
        goto out;
    rc = buf_reserve(out, BASE64URL_SIZE(size), &text);
    if (rc)
        goto out;
    base64url_encode((char *)text, bytes, size);
    buf_commit(out, BASE64URL_SIZE(size) - 1);
    if (nonce)
        memcpy(nonce, bytes, SEALED_NONCE_SIZE);
out:
    free(bytes);
    return rc;
}

int sealed_open(const uint8_t key[static SEALED_KEY_SIZE], const void *bound, size_t bound_len, const char *text,
                size_t len, struct buf *out, uint8_t *nonce) {
    enum { MOST = SEALED_MAX + AROUND };
    uint8_t *bytes, *plain = NULL;
    size_t size, n = 0;
    bytes = malloc(MOST);
    if (!bytes)
        return SP_ENOMEM;
    int rc = SP_EFORMAT;
    if (base64url_decode(text, len, bytes, MOST, &size) || size < AROUND)
        goto out;
    n = size - AROUND;
    rc = SP_ENOMEM;
    plain = malloc(n + 1);
    if (!plain)
        goto out;
    rc = run(0, key, bytes, bound, bound_len, bytes + SEALED_NONCE_SIZE, n, plain, bytes + SEALED_NONCE_SIZE + n);
    if (!rc)
        rc = buf_append(out, plain, n);
    if (!rc && nonce)
        memcpy(nonce, bytes, SEALED_NONCE_SIZE);
    secret_wipe(plain, n);
out:
    free(plain);
    free(bytes);
    return rc;
}
