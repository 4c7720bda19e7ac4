/* Which host a request means: one of the relay's own, or that of a service. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "web_conn.h"

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

/* "NAME:PORT" or "[ADDRESS]:PORT" in two; without a port it is the scheme's own. */
static int split(const char *text, size_t len, bool tls, char name[static 256], uint16_t *port) {
    const char *colon = memrchr(text, ':', len);
    size_t name_len = len;
    uint64_t number = tls ? HTTPS_PORT : HTTP_PORT;
    char digits[8];
    if (colon && !memchr(colon, ']', (size_t)(text + len - colon))) {
        name_len = (size_t)(colon - text);
        size_t digit_count = len - name_len - 1;
        if (digit_count == 0 || digit_count >= sizeof(digits))
            return SP_EFORMAT;
        memcpy(digits, colon + 1, digit_count);
        digits[digit_count] = '\0';
        if (digits[0] == '0' || str_u64(digits, 1, UINT16_MAX, &number))
            return SP_EFORMAT;
    }
    if (name_len == 0 || name_len >= 256)
        return SP_EFORMAT;
    for (size_t i = 0; i < name_len; i++)
        name[i] = (char)tolower((unsigned char)text[i]);
    name[name_len] = '\0';
    *port = (uint16_t)number;
    return 0;
}

static bool is_address(const char *host) {
    struct in_addr v4;
    return strchr(host, ':') || inet_pton(AF_INET, host, &v4) == 1;
}

static bool is_local(const char *host) {
    return strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0;
}

/* Index of the own host that is written so, brackets and all; host_count: none. */
static size_t own_find(const struct web *web, const char *name) {
    size_t i = 0, len = strlen(name);
    bool bracketed = len > 2 && name[0] == '[' && name[len - 1] == ']';
    for (; i < web->host_count; i++) {
        const char *host = web->hosts[i];
        if (bracketed ? strlen(host) == len - 2 && strncasecmp(name + 1, host, len - 2) == 0
                      : strcasecmp(name, host) == 0 && !strchr(host, ':'))
            break;
    }
    return i;
}

/* "box1--jupyter" in two names. */
static int split_label(const char *label, size_t len, struct web_host *out) {
    const char *dashes = memmem(label, len, "--", 2);
    if (!dashes)
        return SP_EFORMAT;
    size_t first = (size_t)(dashes - label), second = len - first - 2;
    if (first >= SP_NAME_SIZE || second >= SP_NAME_SIZE)
        return SP_EFORMAT;
    memcpy(out->machine, label, first);
    out->machine[first] = '\0';
    memcpy(out->service, dashes + 2, second);
    out->service[second] = '\0';
    int rc = name_check(out->machine, NULL);
    return rc ? rc : service_name_check(out->service, NULL);
}

static void write_origin(bool tls, const char *name, uint16_t port, char to[static WEB_ORIGIN_SIZE]) {
    if (port == (tls ? HTTPS_PORT : HTTP_PORT))
        snprintf(to, WEB_ORIGIN_SIZE, "%s://%s", tls ? "https" : "http", name);
    else
        snprintf(to, WEB_ORIGIN_SIZE, "%s://%s:%u", tls ? "https" : "http", name, port);
}

void web_host_parse(const struct web *web, const char *text, size_t len, bool tls, struct web_host *out) {
    char name[256];
    uint16_t port;
    *out = (struct web_host){.kind = WEB_HOST_UNKNOWN};
    if (split(text, len, tls, name, &port))
        return;
    /* Who comes in clear is only led on, or is of this machine: port 80 may be forwarded to us beside the public one. */
    if (port != web->port && (tls || port != HTTP_PORT))
        return;
    write_origin(tls, name, port, out->origin);
    size_t i = own_find(web, name);
    if (i < web->host_count) {
        out->kind = WEB_HOST_OWN;
    } else {
        const char *dot = strchr(name, '.');
        i = dot ? own_find(web, dot + 1) : web->host_count;
        if (i == web->host_count || is_address(web->hosts[i]) || split_label(name, (size_t)(dot - name), out))
            return;
        out->kind = WEB_HOST_SERVICE;
    }
    out->authority = web->authorities[i];
    out->local = is_local(web->hosts[i]);
}

int web_host_service_origin(const char *authority, bool tls, const char *machine, const char *service,
                            char to[static WEB_ORIGIN_SIZE]) {
    char host[256];
    uint16_t port;
    if (split(authority, strlen(authority), tls, host, &port) || host[0] == '[' || is_address(host))
        return SP_ENOENT;
    int n = snprintf(to, WEB_ORIGIN_SIZE, "%s://%s--%s.%s", tls ? "https" : "http", machine, service, authority);
    return n < WEB_ORIGIN_SIZE ? 0 : SP_ETOOBIG;
}

bool web_peer_is_local(const struct sockaddr_storage *peer) {
    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)peer;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)peer;
    return peer->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}
