#include "sallyport/wire/signing.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/buf.h"

struct signing_key {
    EVP_PKEY *pair;
    uint8_t public_key[SIGNING_PUBLIC_SIZE];
};

int signing_key_new(const uint8_t seed[static SIGNING_SEED_SIZE], struct signing_key **out) {
    struct signing_key *key = calloc(1, sizeof(*key));
    size_t n = sizeof(key->public_key);
    if (!key)
        return SP_ENOMEM;
    key->pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SIGNING_SEED_SIZE);
    if (!key->pair || EVP_PKEY_get_raw_public_key(key->pair, key->public_key, &n) != 1 || n != SIGNING_PUBLIC_SIZE) {
        signing_key_free(key);
        return SP_ECRYPTO;
    }
    *out = key;
    return 0;
}

void signing_key_free(struct signing_key *key) {
    if (!key)
        return;
    EVP_PKEY_free(key->pair); /* wipes it */
    free(key);
}

const uint8_t *signing_key_public(const struct signing_key *key) {
    return key->public_key;
}

/* Ed25519 takes its message in one piece. */
static int bind_purpose(const char *purpose, const void *message, size_t n, struct buf *out) {
    int rc = buf_append(out, purpose, strlen(purpose) + 1);
    return rc ? rc : buf_append(out, message, n);
}

int signing_sign(const struct signing_key *key, const char *purpose, const void *message, size_t n,
                 uint8_t signature[static SIGNING_SIGNATURE_SIZE]) {
    uint8_t made[SIGNING_SIGNATURE_SIZE];
    size_t size = sizeof(made);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int rc = SP_ECRYPTO;
    struct buf whole;
    buf_init(&whole);
    if (!context || bind_purpose(purpose, message, n, &whole))
        goto out;
    if (EVP_DigestSignInit(context, NULL, NULL, NULL, key->pair) != 1 ||
        EVP_DigestSign(context, made, &size, buf_head(&whole), buf_len(&whole)) != 1 || size != sizeof(made))
        goto out;
    memcpy(signature, made, sizeof(made));
    rc = 0;
out:
    EVP_MD_CTX_free(context);
    buf_fini(&whole);
    return rc;
}

int signing_check(const uint8_t public_key[static SIGNING_PUBLIC_SIZE], const char *purpose, const void *message,
                  size_t n, const uint8_t signature[static SIGNING_SIGNATURE_SIZE]) {
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, SIGNING_PUBLIC_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int rc = SP_ECRYPTO;
    struct buf whole;
    buf_init(&whole);
    if (!key || !context || bind_purpose(purpose, message, n, &whole))
        goto out;
    if (EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
        EVP_DigestVerify(context, signature, SIGNING_SIGNATURE_SIZE, buf_head(&whole), buf_len(&whole)) == 1)
        rc = 0;
out:
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    buf_fini(&whole);
    return rc;
}

int signing_mac(const uint8_t key[static 32], const void *message, size_t n, uint8_t mac[static SIGNING_MAC_SIZE]) {
    uint8_t made[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    int rc = SP_ECRYPTO;
    if (HMAC(EVP_sha256(), key, 32, message, n, made, &size) && size == SIGNING_MAC_SIZE) {
        memcpy(mac, made, SIGNING_MAC_SIZE);
        rc = 0;
    }
    OPENSSL_cleanse(made, sizeof(made));
    return rc;
}
