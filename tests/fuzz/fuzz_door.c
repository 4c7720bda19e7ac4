/* The door's lines: what was told of a beginning stays told when more comes; what was taken can be written again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/wire/door.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *terminated(const char *text, size_t len) {
    char *copy = calloc(1, len + 1);
    if (!copy)
        abort();
    memcpy(copy, text, len);
    return copy;
}

/* As on the wire but for a \r before its end. */
static void check_same(const struct buf *again, const uint8_t *data, size_t used) {
    size_t len = used >= 2 && data[used - 2] == '\r' ? used - 2 : used - 1;
    if (buf_len(again) != len + 1 || memcmp(buf_head(again), data, len) != 0)
        abort();
}

static void fuzz_line(const uint8_t *data, size_t size) {
    struct door_line line;
    struct buf again;
    size_t used = 0, before;
    int rc = door_line_parse(data, size, &line, &used), early = door_line_parse(data, size / 2, &line, &before);
    if (early != SP_EAGAIN && early != rc)
        abort();
    rc = door_line_parse(data, size, &line, &used);
    if (rc)
        return;
    if (used > size || used > DOOR_LINE_MAX || data[used - 1] != '\n')
        abort();
    buf_init(&again);
    char *argument = terminated(line.argument, line.len);
    if (line.mode != DOOR_OTHER) {
        if (door_line_format(&again, line.mode, argument))
            abort();
        check_same(&again, data, used);
    }
    free(argument);
    buf_fini(&again);
}

static void fuzz_answer(const uint8_t *data, size_t size) {
    struct door_answer answer;
    struct buf again;
    size_t used;
    if (door_answer_parse(data, size, &answer, &used))
        return;
    if (used > size || used > DOOR_ANSWER_MAX || data[used - 1] != '\n')
        abort();
    buf_init(&again);
    char *text = terminated(answer.text, answer.len);
    if (door_answer_format(&again, answer.ok, text))
        abort();
    if (answer.len)
        check_same(&again, data, used);
    free(text);
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_line(data, size);
    fuzz_answer(data, size);
    return 0;
}
