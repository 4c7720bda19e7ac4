/* Which part of the world an address belongs to: the special-purpose registries of RFC 6890, as they grew since. */
#include <arpa/inet.h>
#include <string.h>

#include "sallyport/domain/candidate.h"

struct block {
    uint8_t head[6];
    uint8_t bits;
    enum address_scope scope;
};

/* The first that fits counts. */
static const struct block v4_blocks[] = {
    {{0, 0, 0, 0}, 32, ADDRESS_NONE},
    {{255, 255, 255, 255}, 32, ADDRESS_NONE},
    {{224}, 4, ADDRESS_NONE}, /* multicast */
    {{127}, 8, ADDRESS_LOOPBACK},
    {{169, 254}, 16, ADDRESS_LINK}, /* RFC 3927 */
    {{10}, 8, ADDRESS_PRIVATE},     /* RFC 1918, these three */
    {{172, 16}, 12, ADDRESS_PRIVATE},
    {{192, 168}, 16, ADDRESS_PRIVATE},
    {{100, 64}, 10, ADDRESS_CARRIER},      /* RFC 6598 */
    {{0}, 8, ADDRESS_RESERVED},            /* "this network" */
    {{192, 0, 0}, 24, ADDRESS_RESERVED},   /* protocol assignments */
    {{192, 0, 2}, 24, ADDRESS_RESERVED},   /* documentation, as 198.51.100/24 and 203.0.113/24 */
    {{192, 88, 99}, 24, ADDRESS_RESERVED}, /* 6to4 relays */
    {{198, 18}, 15, ADDRESS_RESERVED},     /* benchmarks */
    {{198, 51, 100}, 24, ADDRESS_RESERVED},
    {{203, 0, 113}, 24, ADDRESS_RESERVED},
    {{240}, 4, ADDRESS_RESERVED},
    {{0}, 0, ADDRESS_PUBLIC},
};

/* Unspecified, loopback and what has an IPv4 address in it are looked at before. */
static const struct block v6_blocks[] = {
    {{0xff}, 8, ADDRESS_NONE}, /* multicast */
    {{0xfe, 0x80}, 10, ADDRESS_LINK},
    {{0xfc}, 7, ADDRESS_PRIVATE},                     /* RFC 4193 */
    {{0x20, 0x01, 0x00}, 23, ADDRESS_RESERVED},       /* protocol assignments, with Teredo, benchmarks, ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, ADDRESS_RESERVED}, /* documentation */
    {{0x20, 0x02}, 16, ADDRESS_RESERVED},             /* 6to4 */
    {{0x3f, 0xff, 0x00}, 20, ADDRESS_RESERVED},       /* documentation, RFC 9637 */
    {{0x20}, 3, ADDRESS_PUBLIC},                      /* all that was given out so far */
    {{0}, 0, ADDRESS_RESERVED},
};

static bool is_within(const uint8_t *address, const struct block *block) {
    size_t whole = block->bits / 8;
    unsigned rest = block->bits % 8;
    if (memcmp(address, block->head, whole) != 0)
        return false;
    return rest == 0 || (address[whole] ^ block->head[whole]) >> (8 - rest) == 0;
}

static enum address_scope find(const uint8_t *address, const struct block *block) {
    while (!is_within(address, block))
        block++;
    return block->scope;
}

enum address_scope address_scope(const char *text) {
    /* Behind the well-known prefix of NAT64 (RFC 6052) any IPv4 address may hide. */
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, text, &v4) == 1)
        return find((const uint8_t *)&v4, v4_blocks);
    if (inet_pton(AF_INET6, text, &v6) != 1 || IN6_IS_ADDR_UNSPECIFIED(&v6))
        return ADDRESS_NONE;
    if (IN6_IS_ADDR_LOOPBACK(&v6))
        return ADDRESS_LOOPBACK;
    if (IN6_IS_ADDR_V4MAPPED(&v6) || memcmp(v6.s6_addr, nat64, sizeof(nat64)) == 0)
        return find(v6.s6_addr + 12, v4_blocks);
    return find(v6.s6_addr, v6_blocks);
}

const char *address_scope_words(enum address_scope scope) {
    static const char *const words[] = {
        [ADDRESS_NONE] = "no machine's", [ADDRESS_LOOPBACK] = "loopback",     [ADDRESS_LINK] = "link-local",
        [ADDRESS_PRIVATE] = "private",   [ADDRESS_CARRIER] = "carrier NAT's", [ADDRESS_RESERVED] = "reserved",
        [ADDRESS_PUBLIC] = "public",
    };
    return words[scope];
}
