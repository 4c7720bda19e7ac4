#include "utf8.h"

size_t utf8_next(const uint8_t *bytes, size_t n, uint32_t *code) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = bytes[0];
    size_t len;
    uint32_t value;
    if (first < 0x80) {
        *code = first;
        return 1;
    } else if (first >= 0xc2 && first < 0xe0) {
        len = 2;
        value = first & 0x1fU;
    } else if (first >= 0xe0 && first < 0xf0) {
        len = 3;
        value = first & 0x0fU;
    } else if (first >= 0xf0 && first < 0xf5) {
        len = 4;
        value = first & 0x07U;
    } else {
        return 0;
    }
    if (len > n)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (bytes[i] & 0x3fU);
    }
    if (value < smallest[len] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 0;
    *code = value;
    return len;
}

bool utf8_is_control(uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}
