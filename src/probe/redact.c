#include "redact.h"

#include <ctype.h>
#include <string.h>

#include "sallyport/base/str.h"

/* Where reading and writing have come to. */
struct redaction {
    const char *at, *end; /* the arguments */
    const char *argument; /* where the one that `at` is in begins */
    bool is_script;       /* it followed -c: several commands for a shell may stand in it */
    char *to;             /* terminated by redact_command */
    size_t len, room;
};

static void put(struct redaction *r, const char *text, size_t len) {
    size_t fits = r->room - r->len;
    size_t n = len <= fits ? len : str_cut(text, len, fits);
    memcpy(r->to + r->len, text, n);
    r->len += n;
    if (n < len)
        r->room = r->len; /* nothing shorter may follow what did not fit */
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_name_char(char c) {
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

/* One character, made clean. */
static void copy_char(struct redaction *r) {
    unsigned char c = (unsigned char)*r->at;
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c == '\0' || is_space((char)c)) {
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

static size_t argument_left(const struct redaction *r) {
    const char *end = memchr(r->at, '\0', (size_t)(r->end - r->at));
    return (size_t)((end == NULL ? r->end : end) - r->at);
}

/* How long the value at `at` is: to its quote when it is in quotes; to the end of the argument when the argument is that
 * option, or the value, alone; else to the next blank, or what ends a value in a URL, a list or a script. */
static size_t value_length(const struct redaction *r, bool is_alone) {
    size_t left = argument_left(r);
    char quote = left > 0 && (*r->at == '"' || *r->at == '\'') ? *r->at : '\0';
    if (quote != '\0') {
        const char *end = memchr(r->at + 1, quote, left - 1);
        return end == NULL ? left : (size_t)(end - r->at) + 1;
    }
    if (is_alone && !r->is_script)
        return left;
    size_t n = 0;
    while (n < left && !is_space(r->at[n]) && strchr("\"'&;|,})]", r->at[n]) == NULL)
        n++;
    return n;
}

static void hide(struct redaction *r, size_t len) {
    if (len == 0)
        return;
    put(r, REDACT_MARK, strlen(REDACT_MARK));
    r->at += len;
}

static void copy(struct redaction *r, size_t len) {
    for (const char *end = r->at + len; r->at < end;)
        copy_char(r);
}

/* "Bearer X", "Basic X", "token X": the word says how, the secret comes behind it. */
static size_t scheme_length(const char *text, size_t len) {
    static const char *const schemes[] = {"Bearer ", "bearer ", "Basic ", "basic ", "token ", "Token ", NULL};
    for (size_t i = 0; schemes[i] != NULL; i++)
        if (len > strlen(schemes[i]) && memcmp(text, schemes[i], strlen(schemes[i])) == 0)
            return strlen(schemes[i]);
    return 0;
}

/* After `name` and its separator. */
static void hide_value(struct redaction *r, bool is_alone) {
    while (argument_left(r) > 0 && is_space(*r->at))
        copy_char(r);
    copy(r, scheme_length(r->at, argument_left(r)));
    hide(r, value_length(r, is_alone));
}

/* The value of an option is the next word: of this argument, or all of the next one. What looks like another option is
 * not hidden: this one had no value. */
static void hide_next(struct redaction *r) {
    bool is_next = *r->at == '\0';
    copy_char(r);
    if (is_next) {
        r->argument = r->at;
        r->is_script = false;
    }
    size_t left = argument_left(r);
    if (left == 0 || (left > 2 && r->at[0] == '-' && r->at[1] == '-') ||
        (left == 2 && r->at[0] == '-' && isalpha((unsigned char)r->at[1])))
        return;
    hide(r, value_length(r, is_next));
}

/* "USER:X" after -u or --user. */
static void hide_password(struct redaction *r) {
    copy_char(r);
    size_t left = argument_left(r), name = 0, word;
    while (name < left && !is_space(r->at[name]) && r->at[name] != ':' && r->at[name] != '/')
        name++;
    if (name == left || r->at[name] != ':')
        return;
    for (word = name + 1; word < left && !is_space(r->at[word]);)
        word++;
    copy(r, name + 1);
    hide(r, word - name - 1);
}

static bool is_word(const char *text, size_t len, const char *word) {
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

/* An option whose value is another word. False when it holds no secret. */
static bool redact_option(struct redaction *r, size_t len) {
    bool has_user = is_word(r->at, len, "-u") || is_word(r->at, len, "--user");
    if (!has_user && !redact_is_secret_name(r->at, len))
        return false;
    copy(r, len);
    if (has_user)
        hide_password(r);
    else
        hide_next(r);
    return true;
}

/* Names, and what they name. False when there is no name here that says secret. */
static bool redact_name(struct redaction *r) {
    size_t left = argument_left(r), len = 0;
    while (len < left && is_name_char(r->at[len]))
        len++;
    if (len == 0 || r->at + len == r->end)
        return false;
    char next = r->at[len];
    if (next == '\0' || is_space(next))
        return r->at[0] == '-' && redact_option(r, len);
    size_t mark = len + (next == '"' || next == '\'');   /* "token": ... */
    if (mark > len && mark < left && r->at[mark] == ']') /* environ['TOKEN'] = ... */
        mark++;
    if (mark >= left || (r->at[mark] != '=' && r->at[mark] != ':') || !redact_is_secret_name(r->at, len))
        return false;
    bool is_alone = r->at == r->argument;
    copy(r, mark + 1);
    hide_value(r, is_alone);
    return true;
}

/* scheme://USER:PASSWORD@host: what stands before the @. */
static bool redact_userinfo(struct redaction *r) {
    static const char mark[] = "://";
    size_t left = argument_left(r), start = sizeof mark - 1, n = start;
    if (left <= start || memcmp(r->at, mark, start) != 0)
        return false;
    const char *at = NULL;
    for (; n < left && !is_space(r->at[n]) && strchr("/?#\"'", r->at[n]) == NULL; n++)
        if (r->at[n] == '@')
            at = r->at + n;
    if (at == NULL)
        return false;
    copy(r, start);
    hide(r, (size_t)(at - r->at));
    return true;
}

static bool redact_token(struct redaction *r) {
    size_t n = redact_token_length(r->at, argument_left(r));
    hide(r, n);
    return n > 0;
}

/* Is the argument before `at` one that says that a script for a shell follows: -c, -lc? */
static bool is_script_option(const char *argument, const char *end) {
    size_t len = (size_t)(end - argument);
    return len >= 2 && len <= 5 && argument[0] == '-' && argument[1] != '-' && argument[len - 1] == 'c';
}

void redact_command(const char *args, size_t len, char *to, size_t size) {
    struct redaction r = {.at = args, .end = args + len, .argument = args, .to = to, .room = size - 1};
    while (r.end > r.at && r.end[-1] == '\0')
        r.end--;
    bool is_word_start = true;
    while (r.at < r.end && r.len < r.room) {
        if (*r.at == '\0') {
            r.is_script = is_script_option(r.argument, r.at);
            r.argument = r.at + 1;
        }
        bool was_start = is_word_start;
        is_word_start = !is_name_char(*r.at);
        if (was_start && (redact_name(&r) || redact_token(&r)))
            is_word_start = true;
        else if (!redact_userinfo(&r))
            copy_char(&r);
    }
    while (r.len > 0 && to[r.len - 1] == ' ')
        r.len--;
    to[r.len] = '\0';
}
