#include "sallyport/wire/http_cookie.h"

#include <string.h>

#include "http_local.h"

/* What stands before the first '=', and whether there is one. */
static bool split_pair(struct http_text pair, struct http_text *name, struct http_text *value) {
    const char *equals = pair.len ? memchr(pair.at, '=', pair.len) : NULL;
    size_t len = equals ? (size_t)(equals - pair.at) : pair.len;
    *name = http_text_trim((struct http_text){pair.at, len});
    if (equals)
        *value = http_text_trim((struct http_text){equals + 1, pair.len - len - 1});
    return equals != NULL;
}

int http_cookie_find(struct http_text field, const char *name, struct http_text *value) {
    struct http_text pair, its_name, its_value, found = {NULL, 0};
    size_t count = 0;
    while (http_text_split(&field, ';', &pair)) {
        if (split_pair(pair, &its_name, &its_value) && http_text_equal(its_name, name)) {
            found = its_value;
            count++;
        }
    }
    if (count != 1)
        return count ? SP_EEXIST : SP_ENOENT;
    *value = found;
    return 0;
}

/* Blanks as the most liberal reader sees them: some decode the field as Latin-1 and strip all that is blank there. */
static bool is_any_blank(char c) {
    uint8_t byte = (uint8_t)c;
    return byte <= 0x20 || byte == 0x7f || byte == 0x85 || byte == 0xa0;
}

static struct http_text trim_any(struct http_text text) {
    while (text.len && is_any_blank(text.at[0])) {
        text.at++;
        text.len--;
    }
    while (text.len && is_any_blank(text.at[text.len - 1]))
        text.len--;
    return text;
}

static uint8_t *join(uint8_t *to, const uint8_t *begin, struct http_text part) {
    if (to != begin) {
        *to++ = ';';
        *to++ = ' ';
    }
    memcpy(to, part.at, part.len);
    return to + part.len;
}

/* Room for all parts of the field: a blank may be wanted behind each ';'. */
static int reserve_joined(struct buf *out, struct http_text field, uint8_t **tail) {
    return buf_reserve(out, field.len * 2 + 1, tail);
}

int http_cookie_strip(struct http_text field, const char *name, struct buf *out) {
    struct http_text pair, its_name, its_value;
    uint8_t *begin;
    int rc = reserve_joined(out, field, &begin);
    if (rc)
        return rc;
    uint8_t *to = begin;
    while (http_text_split(&field, ';', &pair)) {
        split_pair(pair, &its_name, &its_value);
        if (pair.len && !http_text_is(trim_any(its_name), name))
            to = join(to, begin, pair);
    }
    buf_commit(out, (size_t)(to - begin));
    return 0;
}

static bool has_controls(struct http_text text) {
    for (size_t i = 0; i < text.len; i++)
        if ((uint8_t)text.at[i] < 0x20 || text.at[i] == 0x7f)
            return true;
    return false;
}

int http_cookie_clean(struct http_text field, const char *name, struct buf *out) {
    struct http_text part, its_name, its_value;
    uint8_t *begin;
    if (has_controls(field) || !http_text_split(&field, ';', &part) || !split_pair(part, &its_name, &its_value))
        return SP_EDENIED;
    its_name = trim_any(its_name);
    if (its_name.len == 0 || http_text_is(its_name, name))
        return SP_EDENIED;
    int rc = reserve_joined(out, (struct http_text){part.at, part.len + field.len + 1}, &begin);
    if (rc)
        return rc;
    uint8_t *to = join(begin, begin, part);
    while (http_text_split(&field, ';', &part)) {
        split_pair(part, &its_name, &its_value);
        if (part.len && !http_text_is(its_name, "Domain"))
            to = join(to, begin, part);
    }
    buf_commit(out, (size_t)(to - begin));
    return 0;
}
