/* The list of mounts: any bytes give filesystems whose names may be shown, each once. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "filesystems.h"
#include "sallyport/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mounts mounts = {.count = 0};
    char *text = strndup((const char *)data, size);
    if (text == NULL)
        return 0;
    mounts_parse(text, &mounts);
    free(text);
    if (mounts.count > STATUS_FILESYSTEMS_MAX)
        abort();
    for (size_t i = 0; i < mounts.count; i++) {
        if (!str_is_clean(mounts.items[i].path, strlen(mounts.items[i].path)))
            abort();
        for (size_t j = 0; j < i; j++)
            if (strcmp(mounts.items[i].path, mounts.items[j].path) == 0 ||
                strcmp(mounts.items[i].device, mounts.items[j].device) == 0)
                abort();
    }
    return 0;
}
