/* SipHash-2-4: a keyed hash that strangers cannot find collisions for (Aumasson and Bernstein, 2012). */
#ifndef SALLYPORT_BASE_SIPHASH_H
#define SALLYPORT_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* `key` is two little-endian halves. Pure. */
uint64_t siphash(const uint64_t key[static 2], const void *bytes, size_t n);

#endif
