#include "sallyport/base/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "sallyport/base/err.h"

static const char base64_standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* As many as the kernel gives at once. */
static ssize_t random_some(void *to, size_t n) {
#ifdef __linux__
    return getrandom(to, n, 0);
#else
    size_t some = n < 256 ? n : 256; /* more is refused */
    return getentropy(to, some) ? -1 : (ssize_t)some;
#endif
}

int secret_random(void *to, size_t n) {
    uint8_t *at = to;
    while (n > 0) {
        ssize_t got = random_some(at, n);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            return SP_ESYS;
        }
        at += got;
        n -= (size_t)got;
    }
    return 0;
}

bool secret_equal(const void *a, const void *b, size_t n) {
    /* volatile: the compiler must not stop at the first difference. */
    const volatile uint8_t *left = a, *right = b;
    uint8_t differ = 0;
    for (size_t i = 0; i < n; i++)
        differ = (uint8_t)(differ | (left[i] ^ right[i]));
    return differ == 0;
}

void secret_wipe(void *bytes, size_t n) {
#ifdef __linux__
    if (n)
        explicit_bzero(bytes, n);
#else
    /* volatile: the compiler must not find that nobody looks at it any more. */
    for (volatile uint8_t *at = bytes; n > 0; n--)
        *at++ = 0;
#endif
}

static void base64_write(char *to, const uint8_t *from, size_t n, const char *alphabet) {
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | from[i];
        for (held += 8; held >= 6; held -= 6)
            *to++ = alphabet[bits >> (held - 6) & 63];
    }
    if (held)
        *to++ = alphabet[bits << (6 - held) & 63];
    *to = '\0';
}

int secret_token(char to[static SECRET_TOKEN_LEN + 1]) {
    uint8_t bytes[32];
    int rc = secret_random(bytes, sizeof(bytes));
    if (rc)
        return rc;
    base64url_encode(to, bytes, sizeof(bytes));
    secret_wipe(bytes, sizeof(bytes));
    return 0;
}

bool secret_is_token(const char *text) {
    return strlen(text) == SECRET_TOKEN_LEN && strspn(text, base64_url) == SECRET_TOKEN_LEN;
}

void hex_encode(char *to, const void *bytes, size_t n) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
    for (size_t i = 0; i < n; i++) {
        *to++ = digits[from[i] >> 4];
        *to++ = digits[from[i] & 15];
    }
    *to = '\0';
}

void base64_encode(char *to, const void *bytes, size_t n) {
    base64_write(to, bytes, n, base64_standard);
}

void base64url_encode(char *to, const void *bytes, size_t n) {
    base64_write(to, bytes, n, base64_url);
}

/* The value of a letter, or 64. Compares with all of them, so that the time it takes tells nothing of a secret. */
static uint32_t base64url_value(char letter) {
    uint32_t value = 64;
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t same = (uint32_t)(base64_url[i] == letter);
        value = same * i + (1 - same) * value;
    }
    return value;
}

int base64url_decode(const char *text, size_t len, uint8_t *to, size_t size, size_t *n) {
    size_t bytes = len / 4 * 3 + len % 4 * 3 / 4;
    uint32_t bits = 0, bad = len % 4 == 1;
    unsigned held = 0;
    if (bytes > size)
        return SP_ETOOBIG;
    for (size_t i = 0; i < len; i++)
        bad |= base64url_value(text[i]) >> 6;
    /* A last letter whose spare bits are not zero would be a second text for the same bytes. */
    if (len > 0 && len % 4)
        bad |= base64url_value(text[len - 1]) & (len % 4 == 2 ? 15U : 3U);
    if (bad)
        return SP_EFORMAT;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 6 | base64url_value(text[i]);
        held += 6;
        if (held >= 8) {
            held -= 8;
            *to++ = (uint8_t)(bits >> held);
        }
    }
    *n = bytes;
    return 0;
}
