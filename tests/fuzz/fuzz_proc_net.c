/* /proc/net/tcp: any bytes, in pieces, give listeners that make sense. The first byte chooses the file and the cut. */
#include <stdint.h>
#include <stdlib.h>

#include "sallyport/probe/listeners.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t parse(struct listeners *listeners, const char *text, size_t len, int family) {
    size_t used = 0;
    bool ended = false;
    if (listeners_parse(listeners, text, len, family, &used, &ended) != 0 || used > len)
        abort();
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    int family = data[0] & 1 ? 6 : 4;
    const char *text = (const char *)data + 1;
    size_t len = size - 1, cut = (data[0] >> 1) * len / 128;
    struct listeners listeners;
    listeners_init(&listeners);
    size_t used = parse(&listeners, text, cut, family);
    (void)parse(&listeners, text + used, len - used, family);
    for (size_t i = 0; i < listeners.count; i++) {
        const struct listener *one = &listeners.items[i];
        char host[LISTENER_HOST_SIZE];
        listener_host(one, host);
        if (one->port == 0 || (one->family != 4 && one->family != family) || host[0] == '\0' ||
            listeners_find(&listeners, one->port) == NULL)
            abort();
    }
    listeners_fini(&listeners);
    return 0;
}
