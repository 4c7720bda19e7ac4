#include "address.h"

#include <string.h>

#include "sallyport/base/str.h"

int login_address_parse(const char *text, struct login_address *out, struct why *why) {
    struct login_address made = {.port = 22};
    const char *at = strchr(text, '@');
    if (!at || at == text || (size_t)(at - text) >= sizeof made.user)
        goto wrong;
    memcpy(made.user, text, (size_t)(at - text));
    const char *host = at + 1, *end, *port = NULL;
    if (*host == '[') {
        end = strchr(++host, ']');
        if (!end)
            goto wrong;
        if (end[1] == ':')
            port = end + 2;
        else if (end[1])
            goto wrong;
    } else {
        end = host + strcspn(host, ":");
        if (*end)
            port = end + 1;
    }
    if (end == host || (size_t)(end - host) >= sizeof made.host)
        goto wrong;
    memcpy(made.host, host, (size_t)(end - host));
    uint64_t number;
    if (port) {
        if (str_u64(port, 1, UINT16_MAX, &number) < 0)
            goto wrong;
        made.port = (uint16_t)number;
    }
    *out = made;
    return 0;
wrong:
    why_set(why, "server = %s: write it as USER@HOST or USER@HOST:PORT", text);
    return SP_EINVAL;
}
