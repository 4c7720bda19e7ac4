/* Command lines: whatever they hold, what may be shown is clean, short, and without a token that has a known form. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "process_details.h"
#include "redact.h"
#include "sallyport/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char secret[] = "hf_abcdefghijklmnop";
    char shown[192], kernel[KERNEL_ID_SIZE];
    redact_command((const char *)data, size, shown, sizeof shown);
    if (strlen(shown) >= sizeof shown || !str_is_clean(shown, strlen(shown)))
        abort();
    if (process_kernel_id((const char *)data, size, kernel) && strlen(kernel) != KERNEL_ID_SIZE - 1)
        abort();
    /* one more argument, which stands for itself */
    char *args = malloc(size + 1 + sizeof secret);
    if (args == NULL)
        return 0;
    memcpy(args, data, size);
    args[size] = '\0';
    memcpy(args + size + 1, secret, sizeof secret);
    redact_command(args, size + 1 + sizeof secret, shown, sizeof shown);
    free(args);
    if (strstr(shown, secret) != NULL && memmem(data, size, secret, sizeof secret - 1) == NULL)
        abort();
    return 0;
}
