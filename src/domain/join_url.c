/* Reads and writes join URLs. They are pasted by hand, so each way to lose a part has its own sentence. */
#include "sallyport/domain/join_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/str.h"

#define SCHEME "sallyport://"
#define FINGERPRINT_PREFIX "SHA256:"
#define FINGERPRINT_LEN (sizeof(FINGERPRINT_PREFIX) - 1 + 43)
#define COPY_IT_WHOLE "copy the whole line that the invite printed, in quotes"

static bool is_host(const char *host) {
    struct in6_addr v6;
    size_t len = strlen(host);
    if (strchr(host, ':'))
        return inet_pton(AF_INET6, host, &v6) == 1;
    if (len == 0 || host[0] == '-' || host[0] == '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)host[i]) && host[i] != '.' && host[i] != '-' && host[i] != '_')
            return false;
    }
    return true;
}

static bool is_fingerprint(const char *text) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t prefix = sizeof(FINGERPRINT_PREFIX) - 1;
    return strlen(text) == FINGERPRINT_LEN && str_starts(text, FINGERPRINT_PREFIX) &&
           strspn(text + prefix, alphabet) == FINGERPRINT_LEN - prefix;
}

/* HOST:PORT or [IPV6]:PORT, `n` characters of it. */
static int parse_address(const char *text, size_t n, struct join_url *url, struct why *why) {
    char address[sizeof(url->host) + sizeof("[]:65535")];
    uint64_t port;
    if (n >= sizeof(address)) {
        why_set(why, "the host in the join URL is too long: %s", COPY_IT_WHOLE);
        return SP_EFORMAT;
    }
    memcpy(address, text, n);
    address[n] = '\0';

    char *host = address, *colon = strrchr(address, ':');
    if (!colon || str_u64(colon + 1, 1, UINT16_MAX, &port)) {
        why_set(why, "the join URL needs HOST:PORT with a port from 1 to 65535 after '" SCHEME "'");
        return SP_EFORMAT;
    }
    *colon = '\0';
    bool bracketed = host[0] == '[' && colon - host >= 2 && colon[-1] == ']';
    if (bracketed) {
        host++;
        colon[-1] = '\0';
    }
    if (!is_host(host) || bracketed != (strchr(host, ':') != NULL) || str_copy(url->host, sizeof(url->host), host)) {
        why_set(why, "the join URL has no host name or address before its port (an IPv6 address wants brackets)");
        return SP_EFORMAT;
    }
    url->port = (uint16_t)port;
    return 0;
}

static int parse_token(const char *text, size_t n, struct join_url *url, struct why *why) {
    char token[sizeof(url->token)];
    if (n == 0) {
        why_set(why, "the join URL has no token: %s", COPY_IT_WHOLE);
        return SP_EFORMAT;
    }
    if (n != SECRET_TOKEN_LEN) {
        why_set(why, "the token in the join URL has %zu characters instead of %d: %s", n, SECRET_TOKEN_LEN,
                COPY_IT_WHOLE);
        return SP_EFORMAT;
    }
    memcpy(token, text, n);
    token[n] = '\0';
    bool good = secret_is_token(token);
    if (good)
        memcpy(url->token, token, sizeof(token));
    else
        why_set(why, "the token in the join URL has characters that no token has: %s", COPY_IT_WHOLE);
    secret_wipe(token, sizeof(token));
    return good ? 0 : SP_EFORMAT;
}

int join_url_parse(const char *text, struct join_url *out, struct why *why) {
    struct join_url url = {0};
    int rc = SP_EFORMAT;
    if (!str_starts(text, SCHEME)) {
        why_set(why, "a join URL begins with '" SCHEME
                     "': ask for one with 'invite machine NAME' or 'invite user NAME' on the relay");
        return SP_EFORMAT;
    }
    text += sizeof(SCHEME) - 1;

    const char *hash = strchr(text, '#');
    const char *slash = strchr(text, '/');
    size_t before_hash = hash ? (size_t)(hash - text) : strlen(text);
    if (!slash || (hash && slash > hash)) {
        why_set(why, "the join URL is cut short, it has no token: %s", COPY_IT_WHOLE);
        goto out;
    }
    rc = parse_address(text, (size_t)(slash - text), &url, why);
    if (rc)
        goto out;
    rc = parse_token(slash + 1, before_hash - (size_t)(slash - text) - 1, &url, why);
    if (rc)
        goto out;
    rc = SP_EFORMAT;
    if (!hash || hash[1] == '\0') {
        why_set(why,
                "the join URL is cut short, it has no fingerprint after '#' (a shell takes that for a comment "
                "unless the URL is quoted): %s",
                COPY_IT_WHOLE);
        goto out;
    }
    if (!is_fingerprint(hash + 1)) {
        why_set(why,
                "the join URL ends in a damaged fingerprint, which is '" FINGERPRINT_PREFIX "' and 43 characters: %s",
                COPY_IT_WHOLE);
        goto out;
    }
    memcpy(url.fingerprint, hash + 1, FINGERPRINT_LEN + 1);
    *out = url;
    rc = 0;
out:
    secret_wipe(&url, sizeof(url));
    return rc;
}

static int read_line(int input, char *to, size_t size, struct why *why) {
    size_t len = 0;
    for (;;) {
        char byte;
        ssize_t n = read(input, &byte, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            why_set(why, "cannot read the join URL from standard input: %s", strerror(errno));
            return SP_ESYS;
        }
        if (n == 0 && len == 0) {
            why_set(why, "no join URL came on standard input");
            return SP_EFORMAT;
        }
        if (n == 0 || byte == '\n')
            break;
        if (byte == '\0' || len + 1 == size) {
            why_set(why, "what came on standard input is no join URL: %s", COPY_IT_WHOLE);
            return SP_EFORMAT;
        }
        to[len++] = byte;
    }
    to[len] = '\0';
    return 0;
}

/* What was copied from a mail may have blanks and line ends around it. */
static void trim(char *text) {
    static const char blanks[] = " \t\r\n";
    size_t begin = strspn(text, blanks), len = strlen(text);
    while (len > begin && strchr(blanks, text[len - 1]))
        len--;
    memmove(text, text + begin, len - begin);
    text[len - begin] = '\0';
}

int join_url_take(const char *word, int input, struct join_url *out, struct why *why) {
    char text[JOIN_URL_SIZE + 64];
    int rc = 0;
    if (strcmp(word, "-") == 0) {
        rc = read_line(input, text, sizeof(text), why);
    } else if (str_copy(text, sizeof(text), word)) {
        why_set(why, "that is too long for a join URL: %s", COPY_IT_WHOLE);
        rc = SP_EFORMAT;
    }
    if (!rc) {
        trim(text);
        rc = join_url_parse(text, out, why);
    }
    secret_wipe(text, sizeof(text));
    return rc;
}

int join_url_format(char to[static JOIN_URL_SIZE], const struct join_url *url) {
    bool v6 = strchr(url->host, ':') != NULL;
    if (!is_host(url->host) || url->port == 0 || !secret_is_token(url->token) || !is_fingerprint(url->fingerprint))
        return SP_EINVAL;
    snprintf(to, JOIN_URL_SIZE, SCHEME "%s%s%s:%u/%s#%s", v6 ? "[" : "", url->host, v6 ? "]" : "", (unsigned)url->port,
             url->token, url->fingerprint);
    return 0;
}
