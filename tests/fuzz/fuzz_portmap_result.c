/* What a child that a router has taken over may send to its parent: what is accepted is text and addresses. */
#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "portmap_local.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size) {
    if (!memchr(text, '\0', size))
        abort();
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct portmap_request request = {
        .internal_port = 41234, .gateway4 = "192.168.1.1", .address6 = "2001:db8::2"};
    struct portmap_result input, result;
    uint8_t address[4];
    /* Short inputs stand for the rest of a good one, so that the fuzzer need not find all of it. */
    memset(&input, 0, sizeof input);
    memcpy(&input, data, size < sizeof input ? size : sizeof input);
    if (portmap_result_read(&request, &input, size > sizeof input ? size : sizeof input, &result) != 0)
        return 0;
    check_text(result.router, sizeof result.router);
    check_text(result.trouble, sizeof result.trouble);
    check_text(result.memory.url, sizeof result.memory.url);
    if (result.outcome > PORTMAP_BROKEN || result.memory.protocol > PORTMAP_BY_PCP ||
        (result.memory.gateway[0] && strcmp(result.memory.gateway, request.gateway4) != 0) ||
        (result.memory.external_address[0] && !strchr(result.memory.external_address, ':') &&
         inet_pton(AF_INET, result.memory.external_address, address) != 1))
        abort();
    return 0;
}
