/* Jupyter's list of sessions: any bytes are refused, or give names that may be shown, in order. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/probe/jupyter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct notebooks got;
    struct jupyter_kernels kernels;
    if (jupyter_parse_sessions((const char *)data, size, &got, &kernels) != 0)
        return 0;
    if (kernels.count > JUPYTER_KERNELS_MAX || got.count < (int64_t)kernels.count)
        abort();
    for (size_t i = 0; i < kernels.count; i++)
        if (strlen(kernels.items[i].id) != 36 || !str_is_clean(kernels.items[i].path, strlen(kernels.items[i].path)))
            abort();
    if (!got.known || got.listed > NOTEBOOKS_MAX || got.count < (int64_t)got.listed)
        abort();
    for (size_t i = 0; i < got.listed; i++) {
        const struct notebook *notebook = &got.list[i];
        size_t name = strlen(notebook->name), kernel = strlen(notebook->kernel);
        if (name == 0 || !str_is_clean(notebook->name, name) || !str_is_clean(notebook->kernel, kernel) ||
            (i > 0 && strcmp(notebook[-1].name, notebook->name) > 0))
            abort();
    }
    return 0;
}
