/* Tells by the first bytes of a connection what it is (docs/PROTOCOL.md section 1). */
#ifndef SALLYPORT_WIRE_SNIFF_H
#define SALLYPORT_WIRE_SNIFF_H

#include <stddef.h>
#include <stdint.h>

enum sniff {
    SNIFF_MORE, /* too few bytes to tell */
    SNIFF_SSH,
    SNIFF_TLS,
    SNIFF_DOOR,
    SNIFF_HTTP,
    SNIFF_UNKNOWN,
};

/* The first n bytes; 8 are always enough. Pure. */
enum sniff sniff_bytes(const uint8_t *bytes, size_t n);

#endif
