/* A growing queue of bytes: appended at the tail, consumed at the head. */
#ifndef SALLYPORT_BASE_BUF_H
#define SALLYPORT_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *data; /* owned, NULL while nothing was ever stored or after it ran empty */
    size_t start;  /* first byte in use */
    size_t len;    /* bytes in use */
    size_t cap;    /* bytes allocated */
};

void buf_init(struct buf *buf);
void buf_fini(struct buf *buf); /* frees; the buf is empty and usable afterwards */
void buf_wipe(struct buf *buf); /* overwrites all storage, then frees: for secrets */

/* Bytes in use. The pointer is valid until the next change; NULL when empty. */
const uint8_t *buf_head(const struct buf *buf);
size_t buf_len(const struct buf *buf);

/* 0 or SP_ENOMEM; on failure the contents are unchanged. */
int buf_append(struct buf *buf, const void *bytes, size_t n);
int buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The word so that a POSIX shell, ssh and the relay read it back as one. */
int buf_append_quoted(struct buf *buf, const char *word);

/* Makes room for at least n more bytes and points *tail at it; buf_commit takes over what was written there. */
int buf_reserve(struct buf *buf, size_t n, uint8_t **tail);
void buf_commit(struct buf *buf, size_t n);

/* Drops n bytes (at most buf_len) from the head. An empty buf gives its storage back, so idle ones cost nothing. */
void buf_consume(struct buf *buf, size_t n);

/* The contents as a terminated string (the terminator is not counted in len); NULL when out of memory. */
const char *buf_string(struct buf *buf);

#endif
