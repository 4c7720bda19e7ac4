#include "sallyport/wire/http_body.h"

#include "http_local.h"

#define SIZE_DIGITS_MAX 15
#define EXTENSION_MAX 256
#define TRAILERS_MAX 8192

/* RFC 9112 section 7.1. The bytes that each state waits for:
 *   SIZE (EXTENSION)? SIZE_LF DATA DATA_CR DATA_LF   again and again, then
 *   SIZE (EXTENSION)? SIZE_LF (TRAILER NAME VALUE VALUE_LF)* TRAILER END_LF
 * with a SIZE of 0, and TRAILER at the first byte of each line. */
enum state { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, NAME, VALUE, VALUE_LF, END_LF, DONE };

void http_body_init(struct http_body *body, enum http_framing framing, uint64_t length) {
    *body = (struct http_body){.framing = framing, .state = SIZE};
    if (framing == HTTP_LENGTH)
        body->left = length;
    if (framing == HTTP_NO_BODY || (framing == HTTP_LENGTH && length == 0))
        body->state = DONE;
}

bool http_body_is_done(const struct http_body *body) {
    return body->state == DONE;
}

static int hex_value(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int take_size(struct http_body *body, uint8_t byte, struct why *why) {
    int digit = hex_value(byte);
    if (digit >= 0) {
        if (++body->line > SIZE_DIGITS_MAX)
            return http_refuse(why, "the size of a chunk has too many digits");
        body->left = body->left * 16 + (uint64_t)digit;
        return 0;
    }
    if (body->line == 0 || (byte != '\r' && byte != ';'))
        return http_refuse(why, "the size of a chunk is no hexadecimal number");
    body->state = byte == '\r' ? SIZE_LF : EXTENSION;
    body->line = 1;
    return 0;
}

static int take_extension(struct http_body *body, uint8_t byte, struct why *why) {
    if (byte == '\r') {
        body->state = SIZE_LF;
        return 0;
    }
    if (!http_char_is((char)byte, HTTP_CHAR_VALUE))
        return http_refuse(why, "an extension of a chunk has a control character");
    if (++body->line > EXTENSION_MAX)
        return http_refuse(why, "an extension of a chunk is too long");
    return 0;
}

static int take_trailer(struct http_body *body, uint8_t byte, struct why *why) {
    if (++body->line > TRAILERS_MAX)
        return http_refuse(why, "the trailers are too long");
    switch (body->state) {
    case TRAILER:
    case NAME:
        if (byte == '\r' && body->state == TRAILER)
            body->state = END_LF;
        else if (byte == ':' && body->state == NAME)
            body->state = VALUE;
        else if (http_char_is((char)byte, HTTP_CHAR_TOKEN))
            body->state = NAME;
        else
            return http_refuse(why, "a trailer is no field");
        return 0;
    default:
        if (byte == '\r')
            body->state = VALUE_LF;
        else if (!http_char_is((char)byte, HTTP_CHAR_VALUE))
            return http_refuse(why, "a trailer has a control character");
        return 0;
    }
}

/* The LF, or after data the CR LF, which alone may stand here. */
static int take_line_end(struct http_body *body, uint8_t byte, struct why *why) {
    if (byte != (body->state == DATA_CR ? '\r' : '\n'))
        return http_refuse(why, body->state == DATA_CR || body->state == DATA_LF ? "a chunk is longer than it said"
                                                                                 : "a line does not end with CR LF");
    switch (body->state) {
    case SIZE_LF:
        body->state = body->left ? DATA : TRAILER;
        body->line = 0;
        break;
    case DATA_CR:
        body->state = DATA_LF;
        break;
    case DATA_LF:
        body->state = SIZE;
        body->line = 0;
        break;
    case VALUE_LF:
        body->state = TRAILER;
        body->line++;
        break;
    default:
        body->state = DONE;
        break;
    }
    return 0;
}

/* Does the byte, one of a line around the chunks, belong to what is sent on? */
static bool is_passed(const struct http_body *body, uint8_t byte) {
    switch (body->state) {
    case SIZE:
        return byte != ';';
    case EXTENSION:
    case TRAILER:
        return byte == '\r';
    case NAME:
    case VALUE:
    case VALUE_LF:
        return false;
    default:
        return true;
    }
}

static int take_byte(struct http_body *body, uint8_t byte, struct why *why) {
    switch (body->state) {
    case SIZE:
        return take_size(body, byte, why);
    case EXTENSION:
        return take_extension(body, byte, why);
    case TRAILER:
    case NAME:
    case VALUE:
        return take_trailer(body, byte, why);
    default:
        return take_line_end(body, byte, why);
    }
}

static size_t take_data(struct http_body *body, size_t n) {
    size_t taken = body->left < n ? (size_t)body->left : n;
    body->left -= taken;
    if (body->left == 0)
        body->state = DATA_CR;
    return taken;
}

static int scan_chunked(struct http_body *body, const uint8_t *bytes, size_t n, size_t *passed, size_t *skipped,
                        struct why *why) {
    size_t pass = 0, skip = 0;
    while (pass + skip < n && body->state != DONE) {
        uint8_t byte = bytes[pass + skip];
        bool passes = is_passed(body, byte);
        if (passes && skip)
            break;
        if (body->state == DATA) {
            pass += take_data(body, n - pass);
            continue;
        }
        int rc = take_byte(body, byte, why);
        if (rc)
            return rc;
        *(passes ? &pass : &skip) += 1;
    }
    *passed = pass;
    *skipped = skip;
    return 0;
}

int http_body_scan(struct http_body *body, const uint8_t *bytes, size_t n, size_t *pass, size_t *skip,
                   struct why *why) {
    if (body->framing == HTTP_CHUNKED) {
        struct http_body next = *body;
        int rc = scan_chunked(&next, bytes, n, pass, skip, why);
        if (rc == 0)
            *body = next;
        return rc;
    }
    *pass = n;
    *skip = 0;
    if (body->framing == HTTP_LENGTH) {
        if (body->left < n)
            *pass = (size_t)body->left;
        body->left -= *pass;
        if (body->left == 0)
            body->state = DONE;
    }
    return 0;
}

int http_body_end(struct http_body *body) {
    if (body->framing == HTTP_UNTIL_END)
        body->state = DONE;
    return body->state == DONE ? 0 : SP_EFORMAT;
}
