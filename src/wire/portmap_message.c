#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "portmap_local.h"
#include "sallyport/base/str.h"

enum { YEAR_S = 366 * 24 * 3600 };

static bool is_terminated(const char *text, size_t size) {
    return memchr(text, '\0', size) != NULL;
}

/* "" or an address of that family in figures; with a scope when `scoped`. */
static bool is_address(const char *text, size_t size, int family, bool scoped) {
    char plain[INET6_ADDRSTRLEN + 20];
    uint8_t bytes[16];
    if (!is_terminated(text, size) || str_copy(plain, sizeof plain, text) != 0)
        return false;
    char *scope = strchr(plain, '%');
    if (scope && scoped)
        *scope = '\0';
    return text[0] == '\0' || inet_pton(family, plain, bytes) == 1;
}

static bool is_any_address(const char *text, size_t size) {
    return is_address(text, size, AF_INET, false) || is_address(text, size, AF_INET6, false);
}

/* A bool that came as bytes may hold anything: it must not be read as one before that is known. */
static bool is_bool(const bool *flag) {
    uint8_t byte;
    memcpy(&byte, flag, sizeof byte);
    return byte <= 1;
}

static bool is_clean(const char *text, size_t size) {
    if (!is_terminated(text, size))
        return false;
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

static bool memory_is_valid(const struct portmap_memory *memory) {
    struct portmap_url url;
    if ((unsigned)memory->protocol > PORTMAP_BY_PCP || !is_bool(&memory->permanent) ||
        !is_any_address(memory->gateway, sizeof memory->gateway) || !is_clean(memory->url, sizeof memory->url) ||
        !is_any_address(memory->internal_address, sizeof memory->internal_address) ||
        !is_any_address(memory->external_address, sizeof memory->external_address) ||
        !is_address(memory->pinhole, sizeof memory->pinhole, AF_INET6, false))
        return false;
    if (memory->url[0] && portmap_url_parse(memory->url, strlen(memory->url), &url) != 0)
        return false;
    return memory->external_port == 0 || (memory->protocol != PORTMAP_NONE && memory->internal_port != 0);
}

bool portmap_request_is_valid(const struct portmap_request *request) {
    return (unsigned)request->op <= PORTMAP_UNMAP && (unsigned)request->use <= PORTMAP_PCP && is_bool(&request->ipv6) &&
           request->internal_port != 0 && is_address(request->gateway4, sizeof request->gateway4, AF_INET, false) &&
           is_address(request->gateway6, sizeof request->gateway6, AF_INET6, true) &&
           is_address(request->address6, sizeof request->address6, AF_INET6, false) &&
           memory_is_valid(&request->memory);
}

int portmap_result_read(const struct portmap_request *request, const void *bytes, size_t n,
                        struct portmap_result *out) {
    struct portmap_result result;
    if (n != sizeof result)
        return SP_EFORMAT;
    memcpy(&result, bytes, sizeof result);
    const struct portmap_memory *memory = &result.memory;
    if ((unsigned)result.outcome > PORTMAP_BROKEN || result.lease_s > YEAR_S ||
        !is_clean(result.router, sizeof result.router) || !is_clean(result.trouble, sizeof result.trouble) ||
        !memory_is_valid(memory))
        return SP_EFORMAT;
    /* The child speaks of the gateway that it was sent to, of our own port and address, or of what we said. */
    struct portmap_url url;
    if ((memory->gateway[0] && strcmp(memory->gateway, request->gateway4) != 0) ||
        (memory->url[0] && portmap_url_parse(memory->url, strlen(memory->url), &url) == 0 &&
         strcmp(url.host, memory->gateway) != 0) ||
        (memory->external_port != 0 && memory->internal_port != request->internal_port &&
         memory->internal_port != request->memory.internal_port) ||
        (memory->pinhole[0] && strcmp(memory->pinhole, request->address6) != 0) ||
        (result.outcome == PORTMAP_OK && request->op == PORTMAP_MAP && memory->external_port == 0 &&
         memory->pinhole[0] == '\0'))
        return SP_EFORMAT;
    *out = result;
    return 0;
}

void portmap_clean(char *to, size_t size, const char *from, size_t n) {
    size_t len = 0;
    while (n > 0 && from[n - 1] == ' ')
        n--;
    for (size_t i = 0; i < n && len + 1 < size; i++)
        if (from[i] > ' ' && from[i] <= '~')
            to[len++] = from[i];
        else if (from[i] == ' ' && len > 0)
            to[len++] = ' ';
    to[len] = '\0';
}

void portmap_say(struct portmap_result *result, const char *format, ...) {
    char text[sizeof result->trouble];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    portmap_clean(result->trouble, sizeof result->trouble, text, n < 0 ? 0 : strlen(text));
}
