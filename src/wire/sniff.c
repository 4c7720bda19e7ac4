#include "sallyport/wire/sniff.h"

#include <string.h>

/* Whether the n bytes begin with, or could still become, `text`. */
static int match(const uint8_t *bytes, size_t n, const char *text) {
    size_t len = strlen(text);
    if (n >= len)
        return memcmp(bytes, text, len) == 0 ? 1 : 0;
    return memcmp(bytes, text, n) == 0 ? -1 : 0;
}

enum sniff sniff_bytes(const uint8_t *bytes, size_t n) {
    static const struct {
        const char *text;
        enum sniff kind;
    } known[] = {
        {"SSH-", SNIFF_SSH},      {"\x16", SNIFF_TLS},    {"SALLY", SNIFF_DOOR},    {"GET ", SNIFF_HTTP},
        {"HEAD ", SNIFF_HTTP},    {"POST ", SNIFF_HTTP},  {"PUT ", SNIFF_HTTP},     {"DELETE ", SNIFF_HTTP},
        {"OPTIONS ", SNIFF_HTTP}, {"PATCH ", SNIFF_HTTP}, {"CONNECT ", SNIFF_HTTP}, {"TRACE ", SNIFF_HTTP},
    };
    if (n == 0)
        return SNIFF_MORE;
    enum sniff found = SNIFF_UNKNOWN;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        int hit = match(bytes, n, known[i].text);
        if (hit > 0)
            return known[i].kind;
        if (hit < 0)
            found = SNIFF_MORE;
    }
    return found;
}
