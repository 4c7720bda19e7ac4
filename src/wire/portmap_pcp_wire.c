#include <string.h>

#include "portmap_local.h"

/* RFC 6887 section 7:
 *   0 version 2 | 1 R and opcode | 2 reserved 2 | 4 lifetime 4 | 8 client's address 16 | 24 opcode's data
 *   answer: 3 result instead of reserved, 8 epoch 4 | 12 reserved 12
 * MAP (section 11.1), from 24:
 *   24 nonce 12 | 36 protocol | 37 reserved 3 | 40 internal port 2 | 42 external port 2 | 44 external address 16 */
enum { VERSION = 2, ANSWER = 0x80, TCP = 6 };

static void put32(uint8_t *to, uint32_t value) {
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put16(uint8_t *to, uint16_t value) {
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *from) {
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static uint16_t get16(const uint8_t *from) {
    return (uint16_t)(from[0] << 8 | from[1]);
}

void portmap_pcp_write_announce(uint8_t to[static PCP_ANNOUNCE_SIZE], const struct in6_addr *client) {
    memset(to, 0, PCP_ANNOUNCE_SIZE);
    to[0] = VERSION;
    to[1] = PCP_ANNOUNCE;
    memcpy(to + 8, client, 16);
}

void portmap_pcp_write_map(uint8_t to[static PCP_MAP_SIZE], const struct portmap_pcp_ask *ask) {
    memset(to, 0, PCP_MAP_SIZE);
    to[0] = VERSION;
    to[1] = PCP_MAP;
    put32(to + 4, ask->lifetime_s);
    memcpy(to + 8, &ask->client, 16);
    memcpy(to + 24, ask->nonce, sizeof ask->nonce);
    to[36] = TCP;
    put16(to + 40, ask->internal_port);
    put16(to + 42, ask->external_port);
    memcpy(to + 44, &ask->external, 16);
}

int portmap_pcp_parse(const uint8_t *bytes, size_t n, struct portmap_pcp_answer *out) {
    struct portmap_pcp_answer answer = {0};
    if (n >= 4 && bytes[0] == 0 && (bytes[1] & ANSWER))
        return SP_EVERSION;
    if (n < PCP_ANNOUNCE_SIZE || n > PCP_MAX || n % 4 != 0 || bytes[0] != VERSION || !(bytes[1] & ANSWER))
        return SP_EFORMAT;
    answer.opcode = bytes[1] & 0x7f;
    answer.result = bytes[3];
    answer.lifetime_s = get32(bytes + 4);
    answer.epoch = get32(bytes + 8);
    if (answer.opcode == PCP_MAP) {
        if (n < PCP_MAP_SIZE || bytes[36] != TCP)
            return SP_EFORMAT;
        memcpy(answer.nonce, bytes + 24, sizeof answer.nonce);
        answer.internal_port = get16(bytes + 40);
        answer.external_port = get16(bytes + 42);
        memcpy(&answer.external, bytes + 44, 16);
    } else if (answer.opcode != PCP_ANNOUNCE) {
        return SP_EFORMAT;
    }
    *out = answer;
    return 0;
}

bool portmap_pcp_epoch_goes_on(uint32_t before, uint32_t now, uint64_t elapsed_ms) {
    int64_t ours = (int64_t)(elapsed_ms / 1000);
    int64_t theirs = (int64_t)now - (int64_t)before;
    if (theirs < -1)
        return false;
    return ours + 2 >= theirs - theirs / 16 && theirs + 2 >= ours - ours / 16;
}

bool portmap_natpmp_epoch_goes_on(uint32_t before, uint32_t now, uint64_t elapsed_ms) {
    uint64_t expected = before + elapsed_ms / 1000 * 7 / 8;
    return (uint64_t)now + 2 >= expected;
}
