#include "http_local.h"

#include <string.h>

#define METHOD_MAX 32

struct cursor {
    const char *at, *end;
};

static int take_line_end(struct cursor *c, struct why *why) {
    static const char crlf[] = "\r\n";
    for (size_t i = 0; i < 2; i++) {
        if (c->at + i == c->end)
            return SP_EAGAIN;
        if (c->at[i] != crlf[i])
            return http_refuse(why, "a line has a byte that may not be there, or does not end with CR LF");
    }
    c->at += 2;
    return 0;
}

/* Of these kinds, as many as there are; `at` is at the byte after them then, which exists. */
static int take_text(struct cursor *c, unsigned kinds, struct http_text *out) {
    const char *at = c->at;
    while (at < c->end && http_char_is(*at, kinds))
        at++;
    if (at == c->end)
        return SP_EAGAIN;
    *out = (struct http_text){c->at, (size_t)(at - c->at)};
    c->at = at;
    return 0;
}

/* Eight bytes of a value at a time, as long as none of them is below 0x20 or is 0x7f. */
static const char *skip_plain(const char *at, const char *end) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t del = word ^ ones * 0x7f;
        if ((((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & ones * 0x80)
            break;
        at += 8;
    }
    return at;
}

/* A value of a field or a reason, up to its line's end. */
static int take_value(struct cursor *c, struct http_text *out) {
    const char *begin = c->at;
    struct http_text rest;
    c->at = skip_plain(c->at, c->end);
    int rc = take_text(c, HTTP_CHAR_VALUE, &rest);
    if (rc == 0)
        *out = http_text_trim((struct http_text){begin, (size_t)(c->at - begin)});
    return rc;
}

static int take_version(struct cursor *c, unsigned *minor, struct why *why) {
    static const char form[] = "HTTP/0.0";
    for (size_t i = 0; i < sizeof form - 1; i++) {
        if (c->at + i == c->end)
            return SP_EAGAIN;
        bool ok = form[i] == '0' ? c->at[i] >= '0' && c->at[i] <= '9' : c->at[i] == form[i];
        if (!ok)
            return http_refuse(why, "no HTTP version where one should be");
    }
    if (c->at[5] != '1' || c->at[7] > '1') {
        why_set(why, "the version is neither HTTP/1.1 nor HTTP/1.0");
        return SP_EVERSION;
    }
    *minor = c->at[7] == '1';
    c->at += sizeof form - 1;
    return 0;
}

/* RFC 9112 section 3: method SP target SP version CRLF */
static int take_request_line(struct cursor *c, struct http_head *head, struct why *why) {
    int rc = take_text(c, HTTP_CHAR_TOKEN, &head->method);
    if ((rc == 0 && head->method.len > METHOD_MAX) || (rc == SP_EAGAIN && c->end - c->at > METHOD_MAX))
        return http_refuse(why, "the method is too long");
    if (rc)
        return rc;
    if (head->method.len == 0 || *c->at != ' ')
        return http_refuse(why, "it does not begin with a method and one blank");
    if (http_text_equal(head->method, "CONNECT"))
        return http_refuse(why, "CONNECT is not for a server like this");
    c->at++;
    if (c->at < c->end && *c->at != '/')
        return http_refuse(why, "the target does not begin with '/'");
    rc = take_text(c, HTTP_CHAR_TARGET, &head->target);
    if (rc)
        return rc;
    if (*c->at != ' ')
        return http_refuse(why, "the target has a byte that may not be there, or no version follows it");
    c->at++;
    rc = take_version(c, &head->minor, why);
    return rc ? rc : take_line_end(c, why);
}

/* RFC 9112 section 4: version SP status [SP [reason]] CRLF. The last SP is missing in what some servers send. */
static int take_status_line(struct cursor *c, struct http_head *head, struct why *why) {
    unsigned status = 0;
    int rc = take_version(c, &head->minor, why);
    if (rc)
        return rc;
    for (size_t i = 0; i < 4; i++) {
        if (c->at + i == c->end)
            return SP_EAGAIN;
        char byte = c->at[i];
        if (i == 0 ? byte != ' ' : byte < '0' || byte > '9')
            return http_refuse(why, "the status is not three digits after one blank");
        if (i > 0)
            status = status * 10 + (unsigned)(byte - '0');
    }
    if (status < 100 || status > 599)
        return http_refuse(why, "the status is not within 100 and 599");
    c->at += 4;
    if (c->at < c->end && *c->at == ' ') {
        rc = take_value(c, &head->reason);
        if (rc)
            return rc;
    }
    head->status = status;
    return take_line_end(c, why);
}

static int take_field(struct cursor *c, struct http_field *field, struct why *why) {
    int rc = take_text(c, HTTP_CHAR_TOKEN, &field->name);
    if (rc)
        return rc;
    if (*c->at != ':') {
        if (field->name.len == 0 && http_char_is_blank(*c->at))
            return http_refuse(why, "a field is folded over several lines");
        return http_refuse(why, http_char_is_blank(*c->at) ? "a blank stands before the ':' of a field"
                                                           : "a line is no field: NAME: VALUE");
    }
    if (field->name.len == 0)
        return http_refuse(why, "a field has no name");
    c->at++;
    rc = take_value(c, &field->value);
    return rc ? rc : take_line_end(c, why);
}

/* The fields and the empty line (RFC 9112 section 5). */
static int take_fields(struct cursor *c, struct http_head *head, struct http_seen *seen, struct why *why) {
    for (head->field_count = 0;; head->field_count++) {
        struct http_field *field = &head->fields[head->field_count];
        if (c->at == c->end)
            return SP_EAGAIN;
        if (*c->at == '\r')
            return take_line_end(c, why);
        if (head->field_count == HTTP_FIELDS_MAX) {
            why_set(why, "there are more than %d fields", HTTP_FIELDS_MAX);
            return SP_ETOOBIG;
        }
        int rc = take_field(c, field, why);
        if (rc == 0)
            rc = http_seen_note(seen, field, why);
        if (rc)
            return rc;
    }
}

/* All but the fields, of which most are never looked at. */
static void clear(struct http_head *head) {
    static const struct http_text none = {"", 0};
    head->method = head->target = head->host = head->reason = none;
    head->status = head->minor = 0;
    head->field_count = 0;
    head->framing = HTTP_NO_BODY;
    head->length = 0;
    head->keep = head->websocket = false;
}

/* Only the fields in use are copied: there is room for far more than usually come. */
static void hand_over(const struct http_head *head, struct http_head *out) {
    memcpy(out->fields, head->fields, head->field_count * sizeof head->fields[0]);
    out->field_count = head->field_count;
    out->method = head->method;
    out->target = head->target;
    out->reason = head->reason;
    out->host = head->host;
    out->status = head->status;
    out->minor = head->minor;
    out->framing = head->framing;
    out->length = head->length;
    out->keep = head->keep;
    out->websocket = head->websocket;
}

/* What is not whole can be too long already. */
static int judge_cut(size_t n, struct why *why) {
    if (n < HTTP_HEAD_MAX)
        return SP_EAGAIN;
    why_set(why, "the head is longer than %d bytes", HTTP_HEAD_MAX);
    return SP_ETOOBIG;
}

static struct cursor cursor_over(const uint8_t *bytes, size_t n) {
    const char *at = (const char *)bytes;
    return (struct cursor){at, at + (n < HTTP_HEAD_MAX ? n : HTTP_HEAD_MAX)};
}

int http_request_parse(const uint8_t *bytes, size_t n, struct http_head *out, size_t *head_len, struct why *why) {
    struct cursor c = cursor_over(bytes, n);
    struct http_seen seen = {0};
    struct http_head head;
    if (n == 0)
        return SP_EAGAIN;
    clear(&head);
    int rc = take_request_line(&c, &head, why);
    if (rc == 0)
        rc = take_fields(&c, &head, &seen, why);
    if (rc == 0)
        rc = http_seen_request(&seen, &head, why);
    if (rc)
        return rc == SP_EAGAIN ? judge_cut(n, why) : rc;
    hand_over(&head, out);
    *head_len = (size_t)(c.at - (const char *)bytes);
    return 0;
}

int http_response_parse(const uint8_t *bytes, size_t n, bool to_head, bool upgrade, struct http_head *out,
                        size_t *head_len, struct why *why) {
    struct cursor c = cursor_over(bytes, n);
    struct http_seen seen = {0};
    struct http_head head;
    if (n == 0)
        return SP_EAGAIN;
    clear(&head);
    int rc = take_status_line(&c, &head, why);
    if (rc == 0)
        rc = take_fields(&c, &head, &seen, why);
    if (rc == 0)
        rc = http_seen_response(&seen, to_head, upgrade, &head, why);
    if (rc)
        return rc == SP_EAGAIN ? judge_cut(n, why) : rc;
    hand_over(&head, out);
    *head_len = (size_t)(c.at - (const char *)bytes);
    return 0;
}
