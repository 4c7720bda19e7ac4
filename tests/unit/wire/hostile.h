/* Reads the cases of tests/hostile, whose first lines tell how they are written. */
#ifndef SALLYPORT_TESTS_WIRE_HOSTILE_H
#define SALLYPORT_TESTS_WIRE_HOSTILE_H

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/buf.h"

#define HOSTILE_WORDS_MAX 3

struct hostile_case {
    char words[HOSTILE_WORDS_MAX][64]; /* verdict, name, ... */
    uint8_t *bytes;                    /* of just that size, so that a sanitizer sees each byte read beyond */
    size_t n;
};

/* One byte, written as it is or with a backslash; where the next begins. */
static inline const char *hostile_byte(const char *at, uint8_t *byte) {
    static const char letters[] = "rnt\\", meant[] = "\r\n\t\\";
    if (*at != '\\') {
        *byte = (uint8_t)*at;
        return at + 1;
    }
    if (at[1] == 'x') {
        char hex[3] = {at[2], at[3], '\0'};
        *byte = (uint8_t)strtoul(hex, NULL, 16);
        return at + 4;
    }
    const char *letter = at[1] ? strchr(letters, at[1]) : NULL;
    if (!letter)
        abort();
    *byte = (uint8_t)meant[letter - letters];
    return at + 2;
}

/* The text up to `end` (a NUL or the brace that closes), `times` times; where it ended. */
static inline const char *hostile_text(const char *at, char end, unsigned long times, struct buf *out) {
    const char *begin = at;
    uint8_t byte;
    for (unsigned long i = 0; i < times; i++) {
        at = begin;
        while (*at != end) {
            if (at[0] == '\\' && at[1] == '{') {
                char *colon;
                unsigned long inner = strtoul(at + 2, &colon, 10);
                at = hostile_text(colon + 1, '}', inner, out) + 1;
                continue;
            }
            at = hostile_byte(at, &byte);
            if (buf_append(out, &byte, 1))
                abort();
        }
    }
    return at;
}

static inline void hostile_take_line(const char *line, size_t words, void (*check)(const struct hostile_case *one)) {
    struct hostile_case one = {0};
    struct buf bytes;
    buf_init(&bytes);
    for (size_t i = 0; i < words; i++) {
        size_t len = strcspn(line, " ");
        snprintf(one.words[i], sizeof one.words[i], "%.*s", (int)len, line);
        line += len + strspn(line + len, " ");
    }
    hostile_text(line, '\0', 1, &bytes);
    one.n = buf_len(&bytes);
    one.bytes = malloc(one.n ? one.n : 1);
    if (!one.bytes)
        abort();
    if (one.n)
        memcpy(one.bytes, buf_head(&bytes), one.n);
    check(&one);
    free(one.bytes);
    buf_fini(&bytes);
}

/* Calls `check` with each case of the file, whose lines begin with so many words. Returns how many there were. */
static inline size_t hostile_each(const char *file, size_t words, void (*check)(const struct hostile_case *one)) {
    char path[512], line[4096];
    size_t count = 0;
    snprintf(path, sizeof path, "%s/%s", HOSTILE_DIR, file);
    FILE *in = fopen(path, "r");
    if (!in)
        abort();
    while (fgets(line, sizeof line, in)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' || line[0] == '#')
            continue;
        hostile_take_line(line, words, check);
        count++;
    }
    fclose(in);
    return count;
}

#endif
