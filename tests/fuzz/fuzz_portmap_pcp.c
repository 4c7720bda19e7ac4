/* A datagram from the router's PCP port. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "portmap_local.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct portmap_pcp_answer answer;
    uint8_t *copy = calloc(1, size ? size : 1);
    if (!copy)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    if (portmap_pcp_parse(copy, size, &answer) == 0) {
        if (answer.opcode > PCP_MAP || size < PCP_ANNOUNCE_SIZE)
            abort();
        (void)portmap_pcp_epoch_goes_on(answer.epoch, answer.lifetime_s, answer.internal_port);
        (void)portmap_natpmp_epoch_goes_on(answer.epoch, answer.lifetime_s, answer.internal_port);
    }
    free(copy);
    return 0;
}
