/* An SSDP answer: whatever is accepted is a URL that is accepted again as it would be written. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "portmap_local.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct portmap_ssdp found;
    struct portmap_url again;
    char text[PORTMAP_URL_SIZE];
    char *copy = malloc(size + 1);
    if (!copy)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    if (portmap_ssdp_parse(copy, size, &found) == 0) {
        portmap_url_write(&found.url, text);
        if (portmap_url_parse(text, strlen(text), &again) != 0 || strcmp(again.host, found.url.host) != 0 ||
            again.port != found.url.port || strcmp(again.path, found.url.path) != 0)
            abort();
        /* What stands in a description never leads to another host. */
        if (portmap_url_resolve(&found.url, copy, &again) == 0 && strcmp(again.host, found.url.host) != 0)
            abort();
    }
    if (portmap_url_parse(copy, size, &found.url) == 0) {
        portmap_url_write(&found.url, text);
        if (portmap_url_parse(text, strlen(text), &again) != 0)
            abort();
    }
    free(copy);
    return 0;
}
