/* Tickets: any bytes as a body, any text as a ticket; what is taken is written again byte for byte. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/domain/ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_body(const uint8_t *data, size_t size) {
    struct ticket ticket;
    uint8_t again[TICKET_BODY_MAX];
    size_t n;
    if (ticket_unpack(data, size, &ticket))
        return;
    if (ticket_pack(&ticket, again, &n) || n != size || memcmp(again, data, size) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t body[TICKET_BODY_MAX], signature[TICKET_SIGNATURE_SIZE];
    char again[TICKET_TEXT_SIZE], *text = calloc(1, size + 1);
    size_t n;
    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    fuzz_body(data, size);
    if (ticket_from_text(text, body, &n, signature) == 0) {
        if (ticket_to_text(body, n, signature, again) || strcmp(again, text) != 0)
            abort();
        fuzz_body(body, n);
    }
    free(text);
    return 0;
}
