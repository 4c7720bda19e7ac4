#include <stdlib.h>
#include <string.h>

#include "relay_local.h"
#include "sallyport/wire/sniff.h"

enum {
    EXPLAIN_MS = 10000, /* how long the first bytes are awaited */
    EXPLAIN_MAX = 16,   /* at once on one connection */
    STDIO_PORT = 65535, /* what OpenSSH names as the origin of ssh -W and ssh -J, which have no port */
    DISCONNECT = 1,     /* SSH_MSG_DISCONNECT, RFC 4253 section 11.1 */
    BY_APPLICATION = 11,
};

/* libssh refuses a channel with an empty reason, and has no call to give one. docs/PROTOCOL.md section 2 says what
 * happens instead. */
struct explanation {
    struct peer *peer;
    struct stream *stream;
    struct loop_timer timer;
    struct buf heard, answer;
    bool answering;
    char text[sizeof((struct why *)NULL)->text];
};

static void explanation_free(struct explanation *e) {
    e->peer->explaining--;
    loop_timer_stop(&e->timer);
    e->stream->ops->close(e->stream);
    buf_fini(&e->heard);
    buf_fini(&e->answer);
    free(e);
}

static void put_u32(struct buf *to, uint32_t value) {
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    (void)buf_append(to, bytes, sizeof bytes);
}

/* Our identification line and one packet in the clear (RFC 4253 section 6), which is where the exchange of keys has not
 * begun yet:  uint32 length | byte padding | byte 1 | uint32 reason | string text | string language | padding */
static void answer_ssh(struct buf *to, const char *text) {
    uint32_t len = (uint32_t)strlen(text);
    uint32_t payload = 1 + 4 + 4 + len + 4;
    uint32_t padding = 8 - (5 + payload) % 8;
    if (padding < 4)
        padding += 8;
    (void)buf_printf(to, "SSH-2.0-sallyport\r\n");
    put_u32(to, 1 + payload + padding);
    uint8_t head[2] = {(uint8_t)padding, DISCONNECT};
    (void)buf_append(to, head, sizeof head);
    put_u32(to, BY_APPLICATION);
    put_u32(to, len);
    (void)buf_append(to, text, len);
    put_u32(to, 0);
    uint8_t zeros[16] = {0};
    (void)buf_append(to, zeros, padding);
}

static void answer_http(struct buf *to, const char *text) {
    (void)buf_printf(to,
                     "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
                     "Cache-Control: no-store\r\nConnection: close\r\n\r\n%s\n",
                     strlen(text) + 1, text);
}

/* Frees the explanation when all is said. */
static void explanation_flush(struct explanation *e) {
    while (buf_len(&e->answer)) {
        ssize_t n = e->stream->ops->write(e->stream, buf_head(&e->answer), buf_len(&e->answer));
        if (n == 0)
            return;
        if (n < 0)
            break;
        buf_consume(&e->answer, (size_t)n);
    }
    e->stream->ops->end(e->stream);
    explanation_free(e);
}

static size_t explanation_data(void *ctx, const uint8_t *bytes, size_t n) {
    struct explanation *e = ctx;
    if (e->answering)
        return n;
    if (buf_append(&e->heard, bytes, n < 16 ? n : 16) < 0)
        return n;
    enum sniff kind = sniff_bytes(buf_head(&e->heard), buf_len(&e->heard));
    if (kind == SNIFF_MORE)
        return n;
    if (kind == SNIFF_SSH)
        answer_ssh(&e->answer, e->text);
    if (kind == SNIFF_HTTP)
        answer_http(&e->answer, e->text);
    e->answering = true;
    explanation_flush(e);
    return n;
}

static void explanation_end(void *ctx) {
    struct explanation *e = ctx;
    if (!e->answering)
        explanation_free(e);
}

static void explanation_over(void *ctx) {
    explanation_free(ctx);
}

static void explanation_writable(void *ctx) {
    struct explanation *e = ctx;
    if (e->answering)
        explanation_flush(e);
}

static const struct stream_events explanation_events = {
    .data = explanation_data, .end = explanation_end, .writable = explanation_writable, .closed = explanation_over};

void explain(struct peer *peer, struct ssh_chan *chan, uint16_t origin_port, const char *text) {
    struct stream *stream = ssh_chan_stream(chan);
    if (!ssh_chan_conn(chan)) {
        stream->ops->close(stream);
        return;
    }
    ssh_conn_say(peer->conn, text);
    if (origin_port == STDIO_PORT && ssh_conn_channels(peer->conn) == 1) {
        stream->ops->close(stream);
        ssh_conn_close(peer->conn, text);
        return;
    }
    struct explanation *e = peer->explaining < EXPLAIN_MAX ? calloc(1, sizeof *e) : NULL;
    if (!e) {
        stream->ops->close(stream);
        return;
    }
    peer->explaining++;
    e->peer = peer;
    e->stream = stream;
    buf_init(&e->heard);
    buf_init(&e->answer);
    (void)snprintf(e->text, sizeof e->text, "%s", text);
    loop_timer_init(peer->relay->loop, &e->timer, explanation_over, e);
    stream_listen(stream, &explanation_events, e);
    if (loop_timer_set(&e->timer, EXPLAIN_MS) < 0) {
        explanation_free(e);
        return;
    }
    stream->ops->resume(stream);
}
