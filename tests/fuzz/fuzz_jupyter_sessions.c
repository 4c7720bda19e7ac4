/* Jupyter's list of sessions: any bytes are refused, or give names that may be shown, in order. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/probe/jupyter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct notebooks got;
    if (jupyter_parse_sessions((const char *)data, size, &got) != 0)
        return 0;
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
