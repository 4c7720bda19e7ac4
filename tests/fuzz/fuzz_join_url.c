/* Join URLs: any text; a good one comes back the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/domain/join_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char back[JOIN_URL_SIZE], *text = malloc(size + 1);
    struct join_url url, again;
    struct why why;
    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (join_url_parse(text, &url, &why) == 0) {
        if (join_url_format(back, &url) || join_url_parse(back, &again, &why))
            abort();
        if (strcmp(url.host, again.host) != 0 || url.port != again.port)
            abort();
    }
    free(text);
    return 0;
}
