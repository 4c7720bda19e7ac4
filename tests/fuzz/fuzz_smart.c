/* smartctl's answers: any bytes are refused, or give figures that make sense. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "smart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct disk disk = {.name = "sda"};
    /* the first byte is the exit status */
    if (size < 1 || smart_parse((const char *)data + 1, size - 1, data[0] - '0', &disk) != SMART_READ)
        return 0;
    if (strcmp(disk.name, "sda") != 0 || !str_is_clean(disk.model, strlen(disk.model)) || disk.powered_on_s < -1 ||
        disk.reallocated_count < -1 || disk.error_count < -1 || disk.wear_share < 0 || disk.temperature_celsius < 0)
        abort();
    return 0;
}
