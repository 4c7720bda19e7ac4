/* The first bytes of a connection: what was told stays told when more of them come. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "sallyport/wire/sniff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum sniff told = SNIFF_MORE;
    for (size_t n = 0; n <= size && n <= 16; n++) {
        enum sniff now = sniff_bytes(data, n);
        if (told != SNIFF_MORE && now != told)
            abort();
        told = now;
        if (n >= 8 && told == SNIFF_MORE)
            abort();
    }
    return 0;
}
