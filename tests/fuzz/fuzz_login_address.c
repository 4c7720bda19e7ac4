/* USER@HOST:PORT of the configuration: any text; nothing accepted is empty. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct login_address address;
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (login_address_parse(text, &address, NULL) == 0 && (!address.user[0] || !address.host[0] || address.port == 0))
        abort();
    free(text);
    return 0;
}
