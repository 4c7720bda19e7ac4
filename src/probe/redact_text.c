/* Arguments are read, and what may be shown is written. */
#include <ctype.h>
#include <string.h>

#include "redact.h"
#include "redact_local.h"
#include "sallyport/base/str.h"

static void put(struct redaction *r, const char *text, size_t len) {
    size_t fits = r->room - r->len;
    size_t n = len <= fits ? len : str_cut(text, len, fits);
    memcpy(r->to + r->len, text, n);
    r->len += n;
    if (n < len)
        r->room = r->len; /* nothing shorter may follow what did not fit */
}

bool redact_is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

bool redact_is_name_char(char c) {
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

size_t redact_left(const struct redaction *r) {
    const char *end = memchr(r->at, '\0', (size_t)(r->end - r->at));
    return (size_t)((end == NULL ? r->end : end) - r->at);
}

/* One character, made clean. */
static void copy_char(struct redaction *r) {
    unsigned char c = (unsigned char)*r->at;
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c == '\0' || redact_is_blank((char)c)) {
        put(r, " ", 1);
        n = 1;
    } else if (n <= (size_t)(r->end - r->at) && str_is_clean(r->at, n)) {
        put(r, r->at, n);
    } else {
        put(r, "?", 1);
        n = 1;
    }
    r->at += n;
}

void redact_copy(struct redaction *r, size_t len) {
    for (const char *end = r->at + len; r->at < end;)
        copy_char(r);
}

void redact_hide(struct redaction *r, size_t len) {
    if (len == 0)
        return;
    put(r, REDACT_MARK, strlen(REDACT_MARK));
    r->at += len;
}

static bool is_quote(char c) {
    return c == '"' || c == '\'';
}

/* Length of the quoted text at `text`, which begins with its quote; all of it when that does not end. `lead`: 1 when each
 * quote has a \ before it, as in "{\"a\": 1}". */
static size_t quoted_length(const char *text, size_t len, size_t lead) {
    for (size_t i = lead + 1; i + lead < len; i++) {
        if (lead == 1 && text[i] == '\\' && text[i + 1] == text[1])
            return i + 2;
        if (lead == 0 && text[i] == '\\')
            i++; /* in a shell's '...' it is no escape; then too much is hidden */
        else if (lead == 0 && text[i] == text[0])
            return i + 1;
    }
    return len;
}

size_t redact_value_length(const struct redaction *r, bool is_alone, const char *stops) {
    const char *text = r->at;
    size_t left = redact_left(r), n = 0;
    bool is_whole = is_alone && !r->is_script && !(left > 0 && is_quote(*text));
    while (n < left && !is_whole) {
        char c = text[n];
        if (c == '\\' && n + 1 < left) {
            n += is_quote(text[n + 1]) ? quoted_length(text + n, left - n, 1) : 2;
        } else if (is_quote(c)) {
            /* the end of what the value stands in, not the beginning of a quote */
            if (n > 0 && (n + 1 == left || redact_is_blank(text[n + 1]) || strchr(stops, text[n + 1]) != NULL))
                break;
            n += quoted_length(text + n, left - n, 0);
        } else if (redact_is_blank(c) || strchr(stops, c) != NULL) {
            break;
        } else {
            n++;
        }
    }
    return is_whole ? left : n;
}
