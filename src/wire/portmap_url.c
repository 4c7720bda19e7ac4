#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "portmap_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

/* What may stand in a path: what URLs are made of (RFC 3986), so nothing that means something in HTTP or XML. */
static bool url_path_is_valid(const char *path, size_t n) {
    static const char more[] = "/-._~%!$'()*+,;=:@?";
    for (size_t i = 0; i < n; i++) {
        char c = path[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr(more, c)))
            return false;
    }
    return true;
}

/* The host in figures, in the one way to write it. */
static int url_host(const char *text, size_t n, int family, char to[static INET6_ADDRSTRLEN]) {
    char host[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (n >= sizeof host)
        return SP_ETOOBIG;
    memcpy(host, text, n);
    host[n] = '\0';
    if (strlen(host) != n || inet_pton(family, host, bytes) != 1)
        return SP_EFORMAT;
    return inet_ntop(family, bytes, to, INET6_ADDRSTRLEN) ? 0 : SP_EFORMAT;
}

static int url_port(const char *text, size_t n, uint16_t *out) {
    char digits[6];
    uint64_t port;
    if (n == 0 || n >= sizeof digits)
        return SP_EFORMAT;
    memcpy(digits, text, n);
    digits[n] = '\0';
    if (strlen(digits) != n || str_u64(digits, 1, 65535, &port) != 0)
        return SP_EFORMAT;
    *out = (uint16_t)port;
    return 0;
}

int portmap_url_parse(const char *text, size_t n, struct portmap_url *out) {
    static const char scheme[] = "http://";
    struct portmap_url url = {.port = 80, .path = "/"};
    if (n < sizeof scheme || strncasecmp(text, scheme, sizeof scheme - 1) != 0)
        return SP_EFORMAT;
    text += sizeof scheme - 1;
    n -= sizeof scheme - 1;
    const char *slash = memchr(text, '/', n);
    size_t authority = slash ? (size_t)(slash - text) : n;
    bool bracket = text[0] == '[';
    const char *end = memchr(text, bracket ? ']' : ':', authority);
    if (bracket && !end)
        return SP_EFORMAT;
    size_t host = end ? (size_t)(end - text) : authority;
    int rc = bracket ? url_host(text + 1, host - 1, AF_INET6, url.host) : url_host(text, host, AF_INET, url.host);
    if (rc != 0)
        return rc;
    size_t at = bracket ? host + 1 : host;
    if (at < authority && text[at] != ':')
        return SP_EFORMAT;
    if (at < authority)
        rc = url_port(text + at + 1, authority - at - 1, &url.port);
    if (rc != 0)
        return rc;
    if (slash) {
        size_t len = n - authority;
        if (len >= sizeof url.path)
            return SP_ETOOBIG;
        if (!url_path_is_valid(slash, len))
            return SP_EFORMAT;
        memcpy(url.path, slash, len);
        url.path[len] = '\0';
    }
    *out = url;
    return 0;
}

void portmap_url_write(const struct portmap_url *url, char to[static PORTMAP_URL_SIZE]) {
    bool bracket = strchr(url->host, ':') != NULL;
    (void)snprintf(to, PORTMAP_URL_SIZE, "http://%s%s%s:%u%s", bracket ? "[" : "", url->host, bracket ? "]" : "",
                   (unsigned)url->port, url->path);
}

int portmap_url_resolve(const struct portmap_url *base, const char *reference, struct portmap_url *out) {
    size_t n = strlen(reference);
    struct portmap_url url;
    if (strncasecmp(reference, "http:", 5) == 0) {
        int rc = portmap_url_parse(reference, n, &url);
        if (rc != 0)
            return rc;
        if (strcmp(url.host, base->host) != 0)
            return SP_EDENIED;
        *out = url;
        return 0;
    }
    url = *base;
    bool slash = reference[0] == '/';
    if (n + 2 > sizeof url.path)
        return SP_ETOOBIG;
    /* "//host/..." would be another host, and "ftp:" another protocol. */
    if (n == 0 || reference[slash ? 1 : 0] == '/' || !url_path_is_valid(reference, n))
        return SP_EFORMAT;
    (void)snprintf(url.path, sizeof url.path, "%s%s", slash ? "" : "/", reference);
    *out = url;
    return 0;
}

int portmap_address(const char *text, uint16_t port, struct sockaddr_storage *out, socklen_t *len) {
    char plain[INET6_ADDRSTRLEN + 20];
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (str_copy(plain, sizeof plain, text) != 0)
        return SP_EFORMAT;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, plain, &v4.sin_addr) == 1) {
        memcpy(out, &v4, sizeof v4);
        *len = sizeof v4;
        return 0;
    }
    char *scope = strchr(plain, '%');
    uint64_t index = 0;
    if (scope) {
        *scope++ = '\0';
        index = if_nametoindex(scope);
        if (index == 0 && str_u64(scope, 1, UINT32_MAX, &index) != 0)
            return SP_EFORMAT;
    }
    if (inet_pton(AF_INET6, plain, &v6.sin6_addr) != 1)
        return SP_EFORMAT;
    v6.sin6_scope_id = (uint32_t)index;
    memcpy(out, &v6, sizeof v6);
    *len = sizeof v6;
    return 0;
}

int portmap_udp(const char *source, const char *peer, uint16_t port, char own[static INET6_ADDRSTRLEN], int *fd) {
    struct sockaddr_storage to, from;
    socklen_t to_len = 0, from_len = 0;
    if (portmap_address(peer, port, &to, &to_len) != 0 ||
        (source[0] && portmap_address(source, 0, &from, &from_len) != 0))
        return SP_EFORMAT;
    int made = socket(to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made < 0)
        return SP_ESYS;
    socklen_t len = sizeof from;
    if ((from_len && bind(made, (const struct sockaddr *)&from, from_len) != 0) ||
        connect(made, (const struct sockaddr *)&to, to_len) != 0 ||
        getsockname(made, (struct sockaddr *)&from, &len) != 0) {
        int saved = errno;
        (void)close(made);
        errno = saved;
        return SP_ESYS;
    }
    os_address_text(&from, own);
    *fd = made;
    return 0;
}
