#include "sallyport/wire/fingerprint.h"

#include <string.h>

#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"

static const char begin[] = "SHA256:";

int fingerprint_bytes(const char *text, uint8_t bytes[static FINGERPRINT_SIZE]) {
    char url[BASE64URL_SIZE(FINGERPRINT_SIZE)];
    uint8_t read[FINGERPRINT_SIZE];
    size_t n;
    if (!str_starts(text, begin) || str_copy(url, sizeof url, text + sizeof begin - 1) < 0)
        return SP_EFORMAT;
    for (char *at = url; *at; at++) {
        if (*at == '-' || *at == '_')
            return SP_EFORMAT;
        *at = (char)(*at == '+' ? '-' : *at == '/' ? '_' : *at); /* the two alphabets of RFC 4648 differ in these */
    }
    if (base64url_decode(url, strlen(url), read, sizeof read, &n) < 0 || n != sizeof read)
        return SP_EFORMAT;
    memcpy(bytes, read, sizeof read);
    return 0;
}

void fingerprint_text(const uint8_t bytes[static FINGERPRINT_SIZE], char text[static FINGERPRINT_TEXT_SIZE]) {
    (void)str_copy(text, FINGERPRINT_TEXT_SIZE, begin);
    base64_encode(text + sizeof begin - 1, bytes, FINGERPRINT_SIZE);
}
