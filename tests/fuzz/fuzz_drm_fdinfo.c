/* What the kernel's GPU drivers say of an open descriptor. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_drm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct drm_fdinfo info;
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (drm_fdinfo_read(text, &info) == 0) {
        if (info.id < 0 || info.engine_count > DRM_ENGINES_MAX || !memchr(info.address, '\0', sizeof info.address))
            abort();
        for (size_t i = 0; i < info.engine_count; i++) {
            if (!memchr(info.engines[i].name, '\0', sizeof info.engines[i].name))
                abort();
        }
    }
    free(text);
    return 0;
}
