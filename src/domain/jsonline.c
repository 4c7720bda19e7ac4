/* One JSON value a line, by jansson. */
#include "sallyport/domain/jsonline.h"

#include <jansson.h>
#include <string.h>

#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"

static int keep(const char *bytes, size_t n, void *ctx) {
    return buf_append(ctx, bytes, n) ? -1 : 0;
}

static int append(struct buf *out, json_t *value, size_t max, const char *end) {
    struct buf line;
    int rc = SP_ENOMEM;
    buf_init(&line);
    if (!value || json_dump_callback(value, keep, &line, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)))
        goto out;
    rc = SP_ETOOBIG;
    if (buf_len(&line) >= max)
        goto out;
    rc = buf_append(&line, end, strlen(end));
    if (!rc)
        rc = buf_append(out, buf_head(&line), buf_len(&line));
out:
    buf_wipe(&line); /* some lines have tokens in them */
    json_decref(value);
    return rc;
}

int jsonline_append(struct buf *out, struct json_t *value, size_t max) {
    return append(out, value, max, "\n");
}

int jsonline_append_bare(struct buf *out, struct json_t *value, size_t max) {
    return append(out, value, max, "");
}

/* Counts brackets outside of strings. jansson has a bound of its own, but one of 2048, deep enough to be a burden. */
static bool is_deeper(const char *line, size_t len, unsigned depth) {
    unsigned level = 0;
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        char c = line[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++level > depth)
                return true;
        } else if ((c == '}' || c == ']') && level > 0) {
            level--;
        }
    }
    return false;
}

int jsonline_read(const char *line, size_t len, unsigned depth, struct json_t **out, struct why *why) {
    json_error_t error;
    if (is_deeper(line, len, depth)) {
        why_set(why, "nested deeper than %u", depth);
        return SP_ETOOBIG;
    }
    json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    if (!object) {
        why_set(why, "not JSON from byte %d on", error.position);
        return SP_EFORMAT;
    }
    if (!json_is_object(object)) {
        json_decref(object);
        why_set(why, "not a JSON object");
        return SP_EFORMAT;
    }
    *out = object;
    return 0;
}

bool jsonline_text(const struct json_t *object, const char *member, char *to, size_t size) {
    const json_t *value = json_object_get(object, member);
    const char *text = json_string_value(value);
    return text && str_is_clean(text, json_string_length(value)) && str_copy(to, size, text) == 0;
}

bool jsonline_text_cut(const struct json_t *object, const char *member, char *to, size_t size) {
    const json_t *value = json_object_get(object, member);
    size_t len = json_string_length(value);
    if (!json_is_string(value))
        return false;
    len = str_is_clean(json_string_value(value), len) ? str_cut(json_string_value(value), len, size - 1) : 0;
    memcpy(to, json_string_value(value), len);
    to[len] = '\0';
    return true;
}

bool jsonline_bytes(const struct json_t *object, const char *member, uint8_t *to, size_t n) {
    const json_t *value = json_object_get(object, member);
    size_t len = json_string_length(value), got;
    return json_is_string(value) && len + 1 == BASE64URL_SIZE(n) &&
           base64url_decode(json_string_value(value), len, to, n, &got) == 0;
}

bool jsonline_integer(const struct json_t *object, const char *member, int64_t min, int64_t max, int64_t *out) {
    const json_t *value = json_object_get(object, member);
    if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max)
        return false;
    *out = json_integer_value(value);
    return true;
}

bool jsonline_set_text(struct json_t *object, const char *member, const char *text) {
    size_t len = text ? strlen(text) : 0;
    return len == 0 || !str_is_clean(text, len) || json_object_set_new(object, member, json_string(text)) == 0;
}

bool jsonline_time(const struct json_t *object, const char *member, int64_t *unix_seconds) {
    char text[32];
    return jsonline_text(object, member, text, sizeof(text)) && str_time_read(text, unix_seconds) == 0;
}

bool jsonline_set_time(struct json_t *object, const char *member, int64_t unix_seconds) {
    char text[21];
    if (unix_seconds <= 0)
        return true;
    str_time(text, unix_seconds);
    return json_object_set_new(object, member, json_string(text)) == 0;
}
