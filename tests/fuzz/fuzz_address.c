/* `listen` of the configuration: any text; an accepted one can be bound. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct address address;
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (address_parse(text, &address, NULL) == 0) {
        if (address.port == 0 || (!address.any && address.size == 0))
            abort();
    }
    (void)address_is_ipv6(text);
    free(text);
    return 0;
}
