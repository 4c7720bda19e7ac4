#include "sallyport/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/err.h"
#include "sallyport/base/secret.h"

#define BUF_SMALLEST 256
#define PRINTF_GUESS 128 /* most texts are shorter: they are made in one go */

void buf_init(struct buf *buf) {
    *buf = (struct buf){0};
}

void buf_fini(struct buf *buf) {
    free(buf->data);
    buf_init(buf);
}

void buf_wipe(struct buf *buf) {
    if (buf->data)
        secret_wipe(buf->data, buf->cap);
    buf_fini(buf);
}

const uint8_t *buf_head(const struct buf *buf) {
    return buf->len ? buf->data + buf->start : NULL;
}

size_t buf_len(const struct buf *buf) {
    return buf->len;
}

int buf_reserve(struct buf *buf, size_t n, uint8_t **tail) {
    if (n > SIZE_MAX / 4 - buf->len)
        return SP_ENOMEM;
    size_t need = buf->len + n;
    if (buf->data && need <= buf->cap - buf->start) {
        *tail = buf->data + buf->start + buf->len;
        return 0;
    }
    /* Moving is worth it only when at least half is free in front, so that each byte is moved seldom. */
    if (buf->data && need <= buf->cap && buf->start >= buf->len) {
        memmove(buf->data, buf->data + buf->start, buf->len);
    } else {
        size_t cap = buf->cap < BUF_SMALLEST ? BUF_SMALLEST : buf->cap * 2;
        if (cap < need)
            cap = need;
        uint8_t *data = malloc(cap);
        if (!data)
            return SP_ENOMEM;
        if (buf->data)
            memcpy(data, buf->data + buf->start, buf->len);
        free(buf->data);
        buf->data = data;
        buf->cap = cap;
    }
    buf->start = 0;
    *tail = buf->data + buf->start + buf->len;
    return 0;
}

void buf_commit(struct buf *buf, size_t n) {
    buf->len += n;
}

int buf_append(struct buf *buf, const void *bytes, size_t n) {
    uint8_t *tail;
    if (n == 0)
        return 0;
    int rc = buf_reserve(buf, n, &tail);
    if (rc)
        return rc;
    memcpy(tail, bytes, n);
    buf_commit(buf, n);
    return 0;
}

int buf_printf(struct buf *buf, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    uint8_t *tail;
    int n = -1, rc = buf_reserve(buf, PRINTF_GUESS, &tail);
    if (!rc)
        n = vsnprintf((char *)tail, PRINTF_GUESS, format, args);
    if (!rc && n < 0)
        rc = SP_ENOMEM;
    if (!rc && n >= PRINTF_GUESS) {
        rc = buf_reserve(buf, (size_t)n + 1, &tail);
        if (!rc)
            vsnprintf((char *)tail, (size_t)n + 1, format, again);
    }
    if (!rc)
        buf_commit(buf, (size_t)n);
    va_end(again);
    va_end(args);
    return rc;
}

int buf_append_quoted(struct buf *buf, const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-";
    if (word[0] && word[strspn(word, plain)] == '\0')
        return buf_append(buf, word, strlen(word));
    int rc = buf_append(buf, "'", 1);
    while (!rc && *word) {
        size_t n = strcspn(word, "'");
        rc = buf_append(buf, word, n);
        word += n;
        if (!rc && *word) {
            rc = buf_append(buf, "'\\''", 4);
            word++;
        }
    }
    return rc ? rc : buf_append(buf, "'", 1);
}

void buf_consume(struct buf *buf, size_t n) {
    if (n >= buf->len) {
        buf_fini(buf);
        return;
    }
    buf->start += n;
    buf->len -= n;
}

const char *buf_string(struct buf *buf) {
    uint8_t *tail;
    if (buf_reserve(buf, 1, &tail))
        return NULL;
    *tail = '\0';
    return (const char *)(buf->data + buf->start);
}
