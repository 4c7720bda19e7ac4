/* What stands behind the '?' of an address. */
#include <string.h>

#include "sallyport/base/str.h"
#include "web_local.h"

static int unhex(char c) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) % 16 : -1;
}

static int decode(const char *text, size_t len, char *to, size_t size) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (n + 1 >= size)
            return SP_EFORMAT;
        if (c == '%') {
            int high = i + 2 < len ? unhex(text[i + 1]) : -1, low = high >= 0 ? unhex(text[i + 2]) : -1;
            if (low < 0)
                return SP_EFORMAT;
            c = (char)(high * 16 + low);
            i += 2;
        }
        to[n++] = c;
    }
    to[n] = '\0';
    return str_is_clean(to, n) ? 0 : SP_EFORMAT;
}

int web_query(const char *query, size_t len, const char *name, char *to, size_t size) {
    size_t name_len = strlen(name);
    for (size_t at = 0; at < len;) {
        const char *end = memchr(query + at, '&', len - at);
        size_t part = end ? (size_t)(end - query) - at : len - at;
        if (part > name_len && memcmp(query + at, name, name_len) == 0 && query[at + name_len] == '=')
            return decode(query + at + name_len + 1, part - name_len - 1, to, size);
        at += part + 1;
    }
    return SP_ENOENT;
}

int web_query_time(const char *query, const char *name, int64_t *out) {
    char text[40];
    uint64_t seconds;
    int rc = web_query(query, strlen(query), name, text, sizeof(text));
    if (rc)
        return rc;
    if (str_u64(text, 1, (uint64_t)1 << 40, &seconds) == 0) {
        *out = (int64_t)seconds;
        return 0;
    }
    /* Browsers add milliseconds. */
    char *dot = strchr(text, '.');
    size_t digits = dot ? strspn(dot + 1, "0123456789") : 0;
    if (digits > 0)
        memmove(dot, dot + 1 + digits, strlen(dot + 1 + digits) + 1);
    return str_time_read(text, out);
}
