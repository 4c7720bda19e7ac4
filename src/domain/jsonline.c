/* One JSON value a line, by jansson. */
#include "sallyport/domain/jsonline.h"

#include <jansson.h>
#include <string.h>

#include "sallyport/base/str.h"

static int keep(const char *bytes, size_t n, void *ctx) {
    return buf_append(ctx, bytes, n) ? -1 : 0;
}

int jsonline_append(struct buf *out, struct json_t *value, size_t max) {
    struct buf line;
    int rc = SP_ENOMEM;
    buf_init(&line);
    if (!value || json_dump_callback(value, keep, &line, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)))
        goto out;
    rc = SP_ETOOBIG;
    if (buf_len(&line) >= max)
        goto out;
    rc = buf_append(&line, "\n", 1);
    if (!rc)
        rc = buf_append(out, buf_head(&line), buf_len(&line));
out:
    buf_wipe(&line); /* some lines have tokens in them */
    json_decref(value);
    return rc;
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

bool jsonline_integer(const struct json_t *object, const char *member, int64_t min, int64_t max, int64_t *out) {
    const json_t *value = json_object_get(object, member);
    if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max)
        return false;
    *out = json_integer_value(value);
    return true;
}

bool jsonline_set_time(struct json_t *object, const char *member, int64_t unix_seconds) {
    char text[21];
    if (unix_seconds <= 0)
        return true;
    str_time(text, unix_seconds);
    return json_object_set_new(object, member, json_string(text)) == 0;
}
