/* A public key as somebody pasted it: any text; what is accepted is accepted again as it would be written. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/wire/pubkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct pubkey first, second;
    char line[sizeof first.type + sizeof first.base64 + sizeof first.comment];
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (pubkey_parse(text, &first, NULL) == 0) {
        (void)snprintf(line, sizeof line, "%s %s %s", first.type, first.base64, first.comment);
        if (pubkey_parse(line, &second, NULL) != 0 || strcmp(first.fingerprint, second.fingerprint) != 0)
            abort();
    }
    free(text);
    return 0;
}
