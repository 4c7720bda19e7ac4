/* Reads UTF-8 strictly (RFC 3629): no overlong forms, no surrogates, nothing beyond U+10FFFF. */
#ifndef SALLYPORT_BASE_UTF8_H
#define SALLYPORT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of the character at `bytes` (1..4) with its number in *code, or 0 when it is malformed or cut off. n >= 1. */
size_t utf8_next(const uint8_t *bytes, size_t n, uint32_t *code);

/* C0, DEL, C1: what a terminal may obey. */
bool utf8_is_control(uint32_t code);

#endif
