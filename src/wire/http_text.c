#include "http_local.h"

#include <string.h>

const uint8_t http_chars[256] = {
    0,  0,  0,  0,  0,  0,  0,  0,  0,  2,  0,  0,  0,  0,  0,  0,  /* 00: of the controls HTAB only */
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  /* 10 */
    2,  7,  6,  3,  7,  7,  7,  7,  6,  6,  7,  7,  6,  15, 15, 6,  /* 20 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 14, 6,  6,  6,  6,  6,  /* 30: digits */
    6,  15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* 40: letters */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 14, 6,  14, 7,  15, /* 50 */
    7,  15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* 60 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6,  7,  6,  7,  0,  /* 70 */
    2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  /* 80: obs-text */
    2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  /* 90 */
    2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  /* a0 */
    2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  /* b0 */
    2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  /* c0 */
    2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  /* d0 */
    2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  /* e0 */
    2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  /* f0 */
};

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool http_text_is_all(struct http_text text, unsigned kinds) {
    for (size_t i = 0; i < text.len; i++)
        if (!http_char_is(text.at[i], kinds))
            return false;
    return true;
}

bool http_text_alike(struct http_text one, struct http_text other) {
    if (one.len != other.len)
        return false;
    for (size_t i = 0; i < one.len; i++)
        if (lower(one.at[i]) != lower(other.at[i]))
            return false;
    return true;
}

struct http_text http_text_trim(struct http_text text) {
    while (text.len && http_char_is_blank(text.at[0])) {
        text.at++;
        text.len--;
    }
    while (text.len && http_char_is_blank(text.at[text.len - 1]))
        text.len--;
    return text;
}

bool http_text_split(struct http_text *rest, char separator, struct http_text *part) {
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->at, separator, rest->len);
    size_t len = end ? (size_t)(end - rest->at) : rest->len;
    size_t used = end ? len + 1 : len;
    *part = http_text_trim((struct http_text){rest->at, len});
    rest->at += used;
    rest->len -= used;
    return true;
}

/* Asked many times for each head: most words differ in their first letter. */
bool http_text_is(struct http_text text, const char *word) {
    size_t i = 0;
    while (i < text.len && word[i] && lower(text.at[i]) == lower(word[i]))
        i++;
    return i == text.len && !word[i];
}

bool http_text_equal(struct http_text text, const char *word) {
    size_t len = strlen(word);
    return text.len == len && (len == 0 || memcmp(text.at, word, len) == 0);
}

bool http_text_starts(struct http_text text, const char *prefix) {
    size_t len = strlen(prefix);
    return text.len >= len && (len == 0 || memcmp(text.at, prefix, len) == 0);
}

static bool list_names(struct http_text list, struct http_text token) {
    struct http_text element;
    while (http_text_split(&list, ',', &element))
        if (http_text_alike(element, token))
            return true;
    return false;
}

bool http_list_has(struct http_text list, const char *token) {
    return list_names(list, (struct http_text){token, strlen(token)});
}

const struct http_field *http_field_find(const struct http_head *head, const char *name) {
    for (size_t i = 0; i < head->field_count; i++)
        if (http_text_is(head->fields[i].name, name))
            return &head->fields[i];
    return NULL;
}

size_t http_field_count(const struct http_head *head, const char *name) {
    size_t count = 0;
    for (size_t i = 0; i < head->field_count; i++)
        count += http_text_is(head->fields[i].name, name);
    return count;
}

bool http_field_is_hop(const struct http_head *head, const struct http_field *field) {
    static const char *const hops[] = {
        "Connection", "Keep-Alive",        "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE",
        "Trailer",    "Transfer-Encoding", "Upgrade",          "HTTP2-Settings",
    };
    for (size_t i = 0; i < sizeof hops / sizeof hops[0]; i++)
        if (http_text_is(field->name, hops[i]))
            return true;
    for (size_t i = 0; i < head->field_count; i++)
        if (http_text_is(head->fields[i].name, "Connection") && list_names(head->fields[i].value, field->name))
            return true;
    return false;
}
