/* Chunked bodies: in pieces or at once the same becomes of them, and what passes is a body by itself, with the same
 * contents. The first byte says how large the pieces are. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/buf.h"
#include "sallyport/wire/http_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct scanned {
    int rc;
    bool done;
    size_t used, skipped;
    struct buf passed;
};

static void demand(bool ok) {
    if (!ok)
        abort();
}

static struct scanned scan(const uint8_t *bytes, size_t n, size_t step) {
    struct scanned s = {0};
    struct http_body body;
    buf_init(&s.passed);
    http_body_init(&body, HTTP_CHUNKED, 0);
    while (s.rc == 0 && s.used < n && !http_body_is_done(&body)) {
        size_t some = n - s.used < step ? n - s.used : step, pass, skip;
        s.rc = http_body_scan(&body, bytes + s.used, some, &pass, &skip, NULL);
        if (s.rc)
            break;
        demand(pass + skip > 0 && pass + skip <= some);
        demand(!buf_append(&s.passed, bytes + s.used, pass));
        s.used += pass + skip;
        s.skipped += skip;
    }
    s.done = http_body_is_done(&body);
    demand(http_body_end(&body) == (s.done ? 0 : SP_EFORMAT));
    return s;
}

static bool same(const struct buf *one, const struct buf *other) {
    return buf_len(one) == buf_len(other) &&
           (buf_len(one) == 0 || memcmp(buf_head(one), buf_head(other), buf_len(one)) == 0);
}

/* The contents of a whole body that is known to be well formed, read in another way than by states. */
static void read_contents(const uint8_t *bytes, struct buf *out) {
    for (;;) {
        char *end;
        size_t size = strtoull((const char *)bytes, &end, 16);
        if (size == 0)
            return;
        bytes = (const uint8_t *)strchr(end, '\n') + 1;
        demand(!buf_append(out, bytes, size));
        bytes += size + 2;
    }
}

static void check_contents(const uint8_t *bytes, const struct scanned *s) {
    struct buf whole, before, after;
    buf_init(&whole);
    buf_init(&before);
    buf_init(&after);
    demand(!buf_append(&whole, bytes, s->used));
    read_contents((const uint8_t *)buf_string(&whole), &before);
    buf_fini(&whole);
    demand(!buf_append(&whole, buf_head(&s->passed), buf_len(&s->passed)));
    read_contents((const uint8_t *)buf_string(&whole), &after);
    demand(same(&before, &after));
    buf_fini(&whole);
    buf_fini(&before);
    buf_fini(&after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    struct scanned whole = scan(data + 1, size - 1, size), pieces = scan(data + 1, size - 1, 1u + data[0] % 32);
    demand(whole.rc == pieces.rc);
    if (whole.rc == 0) {
        struct scanned again = scan(buf_head(&whole.passed), buf_len(&whole.passed), size);
        demand(whole.done == pieces.done && whole.used == pieces.used && whole.skipped == pieces.skipped);
        demand(same(&whole.passed, &pieces.passed));
        demand(again.rc == 0 && again.done == whole.done && again.skipped == 0 && same(&again.passed, &whole.passed));
        if (whole.done)
            check_contents(data + 1, &whole);
        buf_fini(&again.passed);
    }
    buf_fini(&whole.passed);
    buf_fini(&pieces.passed);
    return 0;
}
