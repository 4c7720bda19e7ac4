#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "portmap_local.h"

enum { ANSWER_MAX = 4096 };

static const char *const ssdp_targets[SSDP_TARGETS] = {
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
};

size_t portmap_ssdp_question(char *to, size_t size, const char *host, unsigned target) {
    int n =
        snprintf(to, size, "M-SEARCH * HTTP/1.1\r\nHOST: %s:%d\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: %s\r\n\r\n",
                 host, SSDP_PORT, ssdp_targets[target % SSDP_TARGETS]);
    return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

/* The value of "NAME: value", or NULL when the line is of something else. */
static const char *ssdp_value(const char *line, size_t n, const char *name, size_t *len) {
    size_t skip = strlen(name);
    if (n <= skip || strncasecmp(line, name, skip) != 0 || line[skip] != ':')
        return NULL;
    const char *value = line + skip + 1;
    size_t left = n - skip - 1;
    while (left > 0 && (*value == ' ' || *value == '\t')) {
        value++;
        left--;
    }
    while (left > 0 && (value[left - 1] == ' ' || value[left - 1] == '\t'))
        left--;
    *len = left;
    return value;
}

static bool ssdp_is_router(const char *target, size_t n) {
    for (size_t i = 0; i < SSDP_TARGETS; i++) {
        /* without its version: a router may answer with its own */
        size_t len = strlen(ssdp_targets[i]) - 1;
        if (n > len && memcmp(target, ssdp_targets[i], len) == 0)
            return true;
    }
    return false;
}

int portmap_ssdp_parse(const char *bytes, size_t n, struct portmap_ssdp *out) {
    struct portmap_ssdp found = {.server = ""};
    bool first = true, router = false, location = false;
    if (n > ANSWER_MAX)
        return SP_EFORMAT;
    while (n > 0) {
        const char *feed = memchr(bytes, '\n', n);
        size_t line = feed ? (size_t)(feed - bytes) : n;
        size_t len = line > 0 && bytes[line - 1] == '\r' ? line - 1 : line;
        size_t size;
        const char *value;
        if (first && (len < 12 || strncasecmp(bytes, "HTTP/1.", 7) != 0 || memcmp(bytes + 8, " 200", 4) != 0))
            return SP_EFORMAT;
        first = false;
        if ((value = ssdp_value(bytes, len, "LOCATION", &size)) != NULL)
            location = portmap_url_parse(value, size, &found.url) == 0;
        else if ((value = ssdp_value(bytes, len, "ST", &size)) != NULL)
            router = ssdp_is_router(value, size);
        else if ((value = ssdp_value(bytes, len, "SERVER", &size)) != NULL)
            portmap_clean(found.server, sizeof found.server, value, size);
        size_t taken = feed ? line + 1 : line;
        bytes += taken;
        n -= taken;
    }
    if (!router || !location)
        return SP_EFORMAT;
    *out = found;
    return 0;
}
