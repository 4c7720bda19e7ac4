/* Heads of requests and responses: what was accepted, written anew, reads the same, and no beginning of it does. The
 * first byte says whose head it is: r a response, h one to HEAD, u one to a wish for websocket, any other a request. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/buf.h"
#include "sallyport/wire/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok) {
    if (!ok)
        abort();
}

static int parse(char kind, const uint8_t *bytes, size_t n, struct http_head *head, size_t *len, struct why *why) {
    if (kind == 'r' || kind == 'h' || kind == 'u')
        return http_response_parse(bytes, n, kind == 'h', kind == 'u', head, len, why);
    return http_request_parse(bytes, n, head, len, why);
}

static void write_head(const struct http_head *head, struct buf *out) {
    if (head->status)
        demand(!buf_printf(out, "HTTP/1.%u %u\r\n", head->minor, head->status));
    else
        demand(!buf_printf(out, "%.*s %.*s HTTP/1.%u\r\n", (int)head->method.len, head->method.at,
                           (int)head->target.len, head->target.at, head->minor));
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        demand(!buf_append(out, field->name.at, field->name.len) && !buf_append(out, ":", 1));
        demand(!buf_append(out, field->value.at, field->value.len) && !buf_append(out, "\r\n", 2));
    }
    demand(!buf_append(out, "\r\n", 2));
}

static bool same_text(struct http_text one, struct http_text other) {
    return one.len == other.len && (one.len == 0 || memcmp(one.at, other.at, one.len) == 0);
}

static void demand_same(const struct http_head *one, const struct http_head *other) {
    demand(same_text(one->method, other->method) && same_text(one->target, other->target));
    demand(same_text(one->host, other->host) && one->status == other->status && one->minor == other->minor);
    demand(one->framing == other->framing && one->length == other->length && one->keep == other->keep);
    demand(one->websocket == other->websocket && one->field_count == other->field_count);
    for (size_t i = 0; i < one->field_count; i++) {
        demand(same_text(one->fields[i].name, other->fields[i].name));
        demand(same_text(one->fields[i].value, other->fields[i].value));
        demand(http_field_is_hop(one, &one->fields[i]) == http_field_is_hop(other, &other->fields[i]));
    }
}

static void demand_sane(const struct http_head *head, bool is_request) {
    demand(head->field_count <= HTTP_FIELDS_MAX && head->minor <= 1);
    demand((head->framing == HTTP_LENGTH) == (head->length > 0));
    if (is_request) {
        demand(head->framing != HTTP_UNTIL_END && http_text_starts(head->target, "/"));
        demand(head->host.len > 0 && http_field_count(head, "Host") == 1);
    }
    for (size_t i = 0; i < head->field_count; i++) {
        struct http_text value = head->fields[i].value;
        demand(head->fields[i].name.len > 0);
        for (size_t j = 0; j < value.len; j++)
            demand(((uint8_t)value.at[j] >= 0x20 || value.at[j] == '\t') && value.at[j] != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct http_head head = {0}, again = {0};
    size_t len = 0, again_len = 0;
    struct why why = {""};
    struct buf out;
    if (size == 0)
        return 0;
    char kind = (char)data[0];
    int rc = parse(kind, data + 1, size - 1, &head, &len, &why);
    int half = parse(kind, data + 1, (size - 1) / 2, &again, &again_len, NULL);
    demand(rc || len <= size - 1);
    demand(half == SP_EAGAIN || (half == rc && (rc || again_len == len)));
    if (rc) {
        demand((rc == SP_EAGAIN) == (why.text[0] == '\0'));
        return 0;
    }
    bool is_request = head.status == 0;
    demand_sane(&head, is_request);
    demand(parse(kind, data + 1, len - 1, &again, &again_len, NULL) == SP_EAGAIN);
    buf_init(&out);
    write_head(&head, &out);
    demand(parse(kind, buf_head(&out), buf_len(&out), &again, &again_len, NULL) == 0);
    demand(again_len == buf_len(&out));
    demand_same(&head, &again);
    buf_fini(&out);
    return 0;
}
