#include "redact.h"

#include <string.h>

#include "redact_local.h"

static bool is_quote(char c) {
    return c == '"' || c == '\'';
}

static bool is_word(const char *text, size_t len, const char *word) {
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

/* Is the argument before `at` one that says that a script for a shell follows: -c, -lc? */
static bool is_script_option(const char *argument, const char *end) {
    size_t len = (size_t)(end - argument);
    return len >= 2 && len <= 5 && argument[0] == '-' && argument[1] != '-' && argument[len - 1] == 'c';
}

/* How much of the word is left: to a blank; no more is looked at than any option or name has. */
static size_t word_left(const struct redaction *r, size_t left) {
    enum { MOST = 512 };
    size_t n = 0;
    while (n < left && n < MOST && !redact_is_blank(r->at[n]))
        n++;
    return n;
}

static size_t name_length(const struct redaction *r, size_t left) {
    size_t n = 0;
    while (n < left && redact_is_name_char(r->at[n]))
        n++;
    return n;
}

/* An option of the program that was named, with its value. False when it holds no secret. */
static bool redact_program_word(struct redaction *r, size_t len) {
    size_t option = 0;
    unsigned how = redact_program_option(r->program, r->at, len, &option);
    bool is_alone = r->at == r->argument;
    if (how == REDACT_NOTHING || ((how & REDACT_NEXT) != 0 && r->at + len == r->end))
        return false;
    redact_copy(r, option);
    if ((how & REDACT_PAIR) != 0)
        redact_hide_pair(r, (how & REDACT_NEXT) != 0 ? redact_go_on(r) : is_alone, REDACT_PAIR_MARKS);
    else if ((how & REDACT_NEXT) != 0)
        redact_hide_next(r);
    else
        redact_hide(r, redact_value_length(r, is_alone, REDACT_WORD_STOPS));
    return true;
}

/* "echo X | sudo -S": what is piped to something that wants a secret. Both are looked for nearby only. */
static bool redact_piped(struct redaction *r, size_t name, size_t left) {
    static const char *const takers[] = {"sudo -S", "-stdin", "with-token", "kinit", "passwd", "cryptsetup", NULL};
    enum { NEAR = 256 };
    const char *mark = memchr(r->at, '|', left < NEAR ? left : NEAR);
    if (mark == NULL || name + 1 >= (size_t)(mark - r->at) ||
        (!is_word(r->at, name, "echo") && !is_word(r->at, name, "printf")))
        return false;
    size_t behind = left - (size_t)(mark - r->at);
    for (size_t i = 0; takers[i] != NULL; i++) {
        if (memmem(mark, behind < NEAR ? behind : NEAR, takers[i], strlen(takers[i])) == NULL)
            continue;
        redact_copy(r, name + 1);
        redact_hide(r, (size_t)(mark - r->at));
        return true;
    }
    return false;
}

/* Which program is named here, what belongs to it. False when this is to be shown. */
static bool redact_plain(struct redaction *r, size_t left) {
    size_t word = word_left(r, left), name = name_length(r, left);
    bool is_whole = name == left || redact_is_blank(r->at[name]) || strchr("\"';&|)`", r->at[name]) != NULL;
    const struct redact_program *program = is_whole && name > 0 ? redact_program_find(r->at, name) : NULL;
    char before = r->at > r->begin ? r->at[-1] : '\0';
    bool is_first = before == '\0' || redact_is_blank(before) || strchr("\"';&|(`", before) != NULL;
    if (program != NULL) {
        r->program = program;
        r->counts = redact_program_counts(program, "", 0);
        r->wants_plain = false;
        return false;
    }
    if (!is_first || word == 0)
        return false;
    if (redact_piped(r, name, left))
        return true;
    if (r->program == NULL)
        return false;
    if (!r->counts) {
        r->counts = redact_program_counts(r->program, r->at, word);
        r->wants_plain = r->counts && redact_program_has_plain(r->program);
        return false;
    }
    if (*r->at == '-')
        return redact_program_word(r, word);
    if (strchr(";&|", *r->at) != NULL) {
        r->wants_plain = false;
    } else if (r->wants_plain && memmem(r->at, word, "://", 3) == NULL) {
        r->wants_plain = false;
        redact_hide(r, redact_value_length(r, r->at == r->argument, REDACT_WORD_STOPS));
        return true;
    }
    if (!redact_program_has_names(r->program) || name != word || r->at + name == r->end ||
        !redact_is_secret_name(r->at, name))
        return false;
    redact_copy(r, name);
    redact_hide_next(r);
    return true;
}

/* An option whose value is another word. False when it holds no secret. */
static bool redact_option(struct redaction *r, size_t len) {
    bool has_user = is_word(r->at, len, "-u") || is_word(r->at, len, "--user");
    if (!has_user && !redact_is_secret_name(r->at, len))
        return false;
    redact_copy(r, len);
    if (has_user)
        redact_hide_pair(r, redact_go_on(r), ":");
    else
        redact_hide_next(r);
    return true;
}

/* How much of `text` is a name of `len` bytes with what separates it from its value; 0: no value follows. `is_header`:
 * it is NAME: without quotes. */
static size_t separator_end(const char *text, size_t left, size_t len, bool *is_header) {
    enum { BLANKS_MAX = 8 };
    size_t i = len;
    i += i + 1 < left && text[i] == '\\' && is_quote(text[i + 1]);
    bool quoted = i < left && is_quote(text[i]); /* "token": ... */
    i += quoted;
    i += quoted && i < left && text[i] == ']'; /* environ['TOKEN'] = ... */
    size_t close = i;
    while (i < left && i < close + BLANKS_MAX && redact_is_blank(text[i]))
        i++;
    if (i >= left)
        return 0;
    bool doubled = i > close && i + 1 < left && text[i + 1] == '='; /* token == ... */
    bool listed = quoted && text[i] == ',';                         /* "--token", "X" */
    if ((text[i] != '=' || doubled) && (text[i] != ':' || (i > close && !quoted)) && !listed)
        return 0;
    *is_header = text[i] == ':' && !quoted;
    return i + 1;
}

/* Names, and what they name. False when there is no name here that says secret. */
static bool redact_name(struct redaction *r, size_t left) {
    size_t len = name_length(r, left);
    bool is_header = false;
    if (len == 0 || r->at + len == r->end)
        return false;
    if (r->at[0] == '-' && (len == left || redact_is_blank(r->at[len])))
        return redact_option(r, len);
    size_t end = separator_end(r->at, left, len, &is_header);
    const char *name = r->at;
    if (is_word(name, len, "--user") && end == len + 1) {
        redact_copy(r, end);
        redact_hide_pair(r, name == r->argument, ":");
        return true;
    }
    if (end == 0 || !redact_is_secret_name(name, len))
        return false;
    redact_copy(r, end);
    redact_hide_value(r, name, is_header, name == r->argument);
    return true;
}

/* scheme://USER:PASSWORD@host: what stands before the @. */
static bool redact_userinfo(struct redaction *r) {
    static const char mark[] = "://";
    size_t left = redact_left(r), start = sizeof mark - 1, n = start;
    if (left <= start || memcmp(r->at, mark, start) != 0)
        return false;
    const char *at = NULL;
    for (; n < left && !redact_is_blank(r->at[n]) && strchr("/?#\"'", r->at[n]) == NULL; n++)
        if (r->at[n] == '@')
            at = r->at + n;
    if (at == NULL)
        return false;
    redact_copy(r, start);
    redact_hide(r, (size_t)(at - r->at));
    return true;
}

static bool redact_token(struct redaction *r, size_t left) {
    size_t n = redact_token_length(r->at, left);
    redact_hide(r, n);
    return n > 0;
}

void redact_command(const char *args, size_t len, char *to, size_t size) {
    struct redaction r = {.begin = args, .at = args, .end = args + len, .argument = args, .to = to, .room = size - 1};
    while (r.end > r.at && r.end[-1] == '\0')
        r.end--;
    bool is_word_start = true;
    while (r.at < r.end && r.len < r.room) {
        if (*r.at == '\0') {
            r.is_script = is_script_option(r.argument, r.at);
            r.argument = r.at + 1;
        }
        size_t left = redact_left(&r);
        bool was_start = is_word_start;
        is_word_start = !redact_is_name_char(*r.at);
        if (was_start && (redact_plain(&r, left) || redact_name(&r, left) || redact_token(&r, left)))
            is_word_start = true;
        else if (!redact_userinfo(&r))
            redact_copy(&r, 1);
    }
    while (r.len > 0 && to[r.len - 1] == ' ')
        r.len--;
    to[r.len] = '\0';
}
