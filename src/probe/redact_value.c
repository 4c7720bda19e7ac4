/* Values of names and options: which part of what follows is hidden. */
#include <ctype.h>
#include <string.h>

#include "redact.h"
#include "redact_local.h"

/* "Bearer X", "Basic X", "token X": the word says how, the secret comes behind it. */
static size_t scheme_length(const char *text, size_t len) {
    static const char *const schemes[] = {"Bearer ", "bearer ", "Basic ", "basic ", "token ", "Token ", NULL};
    for (size_t i = 0; schemes[i] != NULL; i++)
        if (len > strlen(schemes[i]) && memcmp(text, schemes[i], strlen(schemes[i])) == 0)
            return strlen(schemes[i]);
    return 0;
}

/* The value of a header, "NAME: VALUE": blanks may stand in it, up to the quote that the header began with. */
static size_t header_length(const struct redaction *r, const char *name) {
    char quote = name > r->argument ? name[-1] : '\0';
    size_t left = redact_left(r);
    if (quote == '"' || quote == '\'') {
        const char *end = memchr(r->at, quote, left);
        return end == NULL ? left : (size_t)(end - r->at);
    }
    return r->is_script ? redact_value_length(r, false, REDACT_VALUE_STOPS) : left;
}

void redact_hide_value(struct redaction *r, const char *name, bool is_header, bool is_alone) {
    while (redact_left(r) > 0 && redact_is_blank(*r->at))
        redact_copy(r, 1);
    size_t left = redact_left(r);
    bool is_quoted = left > 0 && strchr("\"'\\", *r->at) != NULL;
    const char *pair_end = left > 0 && *r->at == '(' ? memchr(r->at, ')', left) : NULL; /* auth=('ann', 'X') */
    redact_copy(r, scheme_length(r->at, left));
    if (pair_end != NULL)
        redact_hide(r, (size_t)(pair_end - r->at) + 1);
    else if (is_header && !is_quoted)
        redact_hide(r, header_length(r, name));
    else
        redact_hide(r, redact_value_length(r, is_alone, REDACT_VALUE_STOPS));
}

bool redact_go_on(struct redaction *r) {
    bool is_next = *r->at == '\0';
    redact_copy(r, 1);
    if (is_next) {
        r->argument = r->at;
        r->is_script = false;
    }
    while (!is_next && redact_left(r) > 0 && redact_is_blank(*r->at))
        redact_copy(r, 1);
    return is_next;
}

void redact_hide_next(struct redaction *r) {
    bool is_next = redact_go_on(r);
    size_t left = redact_left(r);
    if (left == 0 || (left > 2 && r->at[0] == '-' && r->at[1] == '-') ||
        (left == 2 && r->at[0] == '-' && isalpha((unsigned char)r->at[1])))
        return;
    redact_hide(r, redact_value_length(r, is_next, REDACT_WORD_STOPS));
}

static bool is_figures(const char *text, size_t len) {
    size_t n = 0;
    while (n < len && isdigit((unsigned char)text[n]))
        n++;
    return len > 0 && n == len;
}

void redact_hide_pair(struct redaction *r, bool is_alone, const char *marks) {
    size_t len = redact_value_length(r, is_alone, REDACT_WORD_STOPS), name = 0;
    bool is_quoted = len > 1 && (*r->at == '"' || *r->at == '\'');
    while (name < len && strchr(marks, r->at[name]) == NULL)
        name++;
    if (name == len || (len - name > 2 && memcmp(r->at + name, "://", 3) == 0))
        return;
    size_t secret = len - name - 1;
    if (is_figures(r->at, name) && is_figures(r->at + name + 1, secret))
        return;
    if (secret > is_quoted && redact_token_length(r->at + is_quoted, name - is_quoted) == 0) {
        redact_copy(r, name + 1);
        len = secret;
    }
    redact_hide(r, len);
}
