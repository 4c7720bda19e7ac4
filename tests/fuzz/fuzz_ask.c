/* A client's question and the relay's answer: any bytes; what was understood can be written, and is read as the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/domain/ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(struct buf *one, struct buf *two) {
    if (buf_len(one) != buf_len(two) || memcmp(buf_head(one), buf_head(two), buf_len(one)) != 0)
        abort();
    buf_fini(one);
    buf_fini(two);
}

static void fuzz_ask(const char *text, size_t size) {
    struct ask ask, again;
    struct buf one, two;
    struct why why;
    if (ask_parse(text, size, &ask, &why))
        return;
    buf_init(&one);
    buf_init(&two);
    if (ask_format(&one, &ask) || ask_parse((const char *)buf_head(&one), buf_len(&one), &again, &why) ||
        ask_format(&two, &again))
        abort();
    check_same(&one, &two);
}

static void fuzz_answer(const char *text, size_t size) {
    struct answer answer, again;
    struct buf one, two;
    struct why why;
    if (answer_parse(text, size, &answer, &why))
        return;
    buf_init(&one);
    buf_init(&two);
    if (answer_format(&one, &answer) || answer_parse((const char *)buf_head(&one), buf_len(&one), &again, &why) ||
        answer_format(&two, &again))
        abort();
    check_same(&one, &two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_ask((const char *)data, size);
    fuzz_answer((const char *)data, size);
    return 0;
}
