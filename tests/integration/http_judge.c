/* How the relay's own parsers read streams of requests, for test_parsers.py. Standard input: a length (4 bytes, big
 * endian) and as many bytes, again and again. For each a line for every request, and one for how it ended:
 *   request METHOD TARGET HOST BODY SKIPPED    BODY in hexadecimal as it would be sent on, with "chunked:" before it if
 *                                              it is, or "-" for none. SKIPPED: bytes of it that would not be sent on;
 *                                              missing when the body is cut off or wrong
 *   end refused|more|close                     close: nothing is left, or nothing more would be read */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "sallyport/wire/http_body.h"
#include "sallyport/wire/http_head.h"

#define STREAM_MAX ((size_t)1 << 20)

/* Prints the body and how many bytes were skipped; its whole length in *used. 0, SP_EAGAIN when it is not whole, or
 * SP_EFORMAT. */
static int print_body(const struct http_head *head, const uint8_t *bytes, size_t n, size_t *used) {
    struct http_body body;
    size_t at = 0, skipped = 0, pass, skip;
    http_body_init(&body, head->framing, head->length);
    if (head->framing == HTTP_CHUNKED)
        printf("chunked:");
    else if (head->framing == HTTP_NO_BODY)
        printf("-");
    while (!http_body_is_done(&body)) {
        if (at == n)
            return SP_EAGAIN;
        int rc = http_body_scan(&body, bytes + at, n - at, &pass, &skip, NULL);
        if (rc)
            return rc;
        for (size_t i = 0; i < pass; i++)
            printf("%02x", bytes[at + i]);
        at += pass + skip;
        skipped += skip;
    }
    printf(" %zu", skipped);
    *used = at;
    return 0;
}

static const char *judge(const uint8_t *bytes, size_t n) {
    size_t at = 0;
    while (at < n) {
        struct http_head head;
        size_t used;
        int rc = http_request_parse(bytes + at, n - at, &head, &used, NULL);
        if (rc)
            return rc == SP_EAGAIN ? "more" : "refused";
        at += used;
        printf("request %.*s %.*s %.*s ", (int)head.method.len, head.method.at, (int)head.target.len, head.target.at,
               (int)head.host.len, head.host.at);
        rc = print_body(&head, bytes + at, n - at, &used);
        printf("\n");
        if (rc)
            return rc == SP_EAGAIN ? "more" : "refused";
        at += used;
        if (!head.keep)
            break;
    }
    return "close";
}

int main(void) {
    uint8_t size[4];
    int rc = 1;
    uint8_t *bytes = malloc(STREAM_MAX);
    if (!bytes)
        return 1;
    while (fread(size, 1, sizeof size, stdin) == sizeof size) {
        size_t n = (size_t)size[0] << 24 | (size_t)size[1] << 16 | (size_t)size[2] << 8 | size[3];
        if (n > STREAM_MAX || fread(bytes, 1, n, stdin) != n)
            goto out;
        printf("end %s\n", judge(bytes, n));
    }
    rc = 0;
out:
    free(bytes);
    return rc;
}
