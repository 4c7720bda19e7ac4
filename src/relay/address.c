#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "sallyport/base/str.h"

bool address_is_ipv6(const char *text) {
    struct in6_addr unused;
    return inet_pton(AF_INET6, text, &unused) == 1;
}

bool address_is_neighbour(const struct sockaddr_storage *a, const struct sockaddr_storage *b) {
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)(const void *)a, *b4 = (const void *)b;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)(const void *)a, *b6 = (const void *)b;
    if (a->ss_family != b->ss_family)
        return false;
    return a->ss_family == AF_INET ? a4->sin_addr.s_addr == b4->sin_addr.s_addr
                                   : memcmp(&a6->sin6_addr, &b6->sin6_addr, 8) == 0;
}

/* Splits off the port; the host is left without brackets. */
static int address_split(const char *text, char *host, size_t size, uint16_t *port) {
    const char *colon = strrchr(text, ':');
    uint64_t number;
    if (!colon || str_u64(colon + 1, 1, UINT16_MAX, &number) < 0)
        return SP_EINVAL;
    size_t len = (size_t)(colon - text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    } else if (memchr(text, ':', len)) {
        return SP_EINVAL;
    }
    if (len >= size)
        return SP_EINVAL;
    memcpy(host, text, len);
    host[len] = '\0';
    *port = (uint16_t)number;
    return 0;
}

int address_parse(const char *text, struct address *out, struct why *why) {
    char host[64];
    struct address made = {0};
    if (address_split(text, host, sizeof host, &made.port) < 0)
        goto wrong;
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&made.sockaddr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&made.sockaddr;
    if (!host[0] || strcmp(host, "*") == 0) {
        made.any = true;
    } else if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(made.port);
        made.size = sizeof *v4;
    } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(made.port);
        made.size = sizeof *v6;
    } else {
        goto wrong;
    }
    *out = made;
    return 0;
wrong:
    why_set(why, "listen = %s: give an address and a port in figures, such as 0.0.0.0:2222, [::]:2222 or *:2222", text);
    return SP_EINVAL;
}
