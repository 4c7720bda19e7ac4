#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "redact.h"

/* What tokens begin with, and how long they are at least with that. */
struct prefix {
    const char *text;
    size_t min;
};
static const struct prefix prefixes[] = {
    {"hf_", 12},       {"sk-", 12},   {"sk_live_", 16}, {"sk_test_", 16}, {"rk_live_", 16},   {"pk_live_", 16},
    {"ghp_", 12},      {"gho_", 12},  {"ghu_", 12},     {"ghs_", 12},     {"ghr_", 12},       {"github_pat_", 16},
    {"glpat-", 12},    {"xoxb-", 12}, {"xoxp-", 12},    {"xoxa-", 12},    {"xoxs-", 12},      {"xapp-", 12},
    {"AKIA", 20},      {"ASIA", 20},  {"AIza", 20},     {"ya29.", 16},    {"npm_", 16},       {"pypi-", 16},
    {"dckr_pat_", 14}, {"r8_", 16},   {"nvapi-", 14},   {"tskey-", 12},   {"eyJ", 20},        {"dop_v1_", 16},
    {"SG.", 20},       {"gsk_", 16},  {"lsv2_", 16},    {"wandb_", 20},   {"sallyport_", 20}, {NULL, 0},
};

/* Random text of that length or more is hidden. */
#define RANDOM_MIN 24
/* No more of it is looked at to say so: command lines may be made to take long. */
#define JUDGED_MAX 512

static bool is_token_char(char c) {
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* As is_token_char, and what base64 has beside it; but for the = at its end, which elsewhere follows a name. */
static bool is_random_char(char c) {
    return is_token_char(c) || c == '+' || c == '/';
}

static int kind_of(char c) {
    return isdigit((unsigned char)c) ? 1 : isupper((unsigned char)c) ? 2 : islower((unsigned char)c) ? 3 : 0;
}

/* kernel-UUID.json is no secret, but a name that people know from Jupyter. */
static bool is_kernel_file(const char *text, size_t run, size_t len) {
    static const char before[] = "kernel-", after[] = ".json";
    enum { UUID = 36 };
    size_t name = sizeof before - 1 + UUID;
    return run >= name && memcmp(text + run - name, before, sizeof before - 1) == 0 && len - run >= sizeof after - 1 &&
           memcmp(text + run, after, sizeof after - 1) == 0;
}

/* Words go on in the same kind of character; random text changes between digits, capitals and small letters in about
 * every second place. */
static size_t random_length(const char *text, size_t len) {
    size_t run = 0, changes = 0;
    bool has_digit = false, has_letter = false;
    while (run < len && run < JUDGED_MAX && is_random_char(text[run])) {
        int kind = kind_of(text[run]);
        if (run > 0 && kind != 0 && kind_of(text[run - 1]) != 0 && kind != kind_of(text[run - 1]))
            changes++;
        has_digit = has_digit || kind == 1;
        has_letter = has_letter || kind > 1;
        run++;
    }
    if (run < RANDOM_MIN || !has_digit || !has_letter || changes < run / 4 || is_kernel_file(text, run, len))
        return 0;
    while (run < len && is_random_char(text[run]))
        run++;
    while (run < len && text[run] == '=')
        run++;
    return run;
}

size_t redact_token_length(const char *text, size_t len) {
    for (const struct prefix *prefix = prefixes; prefix->text != NULL; prefix++) {
        size_t n = strlen(prefix->text);
        if (len < prefix->min || memcmp(text, prefix->text, n) != 0)
            continue;
        while (n < len && (is_token_char(text[n]) || text[n] == '.')) /* JWTs have dots */
            n++;
        if (n >= prefix->min)
            return n;
    }
    return random_length(text, len);
}

static bool is_part(const char *part, size_t len, const char *word) {
    return strlen(word) == len && strncasecmp(part, word, len) == 0;
}

static bool ends_with(const char *part, size_t len, const char *end) {
    size_t n = strlen(end);
    return len >= n && strncasecmp(part + len - n, end, n) == 0;
}

/* One word of a name. */
static bool is_secret_part(const char *part, size_t len) {
    static const char *const whole[] = {
        "key",    "auth", "oauth", "authorization", "pass", "pwd",         "pw",         "cookie",
        "bearer", "pat",  "sig",   "signature",     "psk",  "requirepass", "masterauth", NULL};
    static const char *const ends[] = {"token",      "secret",     "secrets",    "password",    "passwords",  "passwd",
                                       "passphrase", "apikey",     "accesskey",  "secretkey",   "privatekey", "authkey",
                                       "licensekey", "signingkey", "credential", "credentials", NULL};
    for (size_t i = 0; whole[i] != NULL; i++)
        if (is_part(part, len, whole[i]))
            return true;
    for (size_t i = 0; ends[i] != NULL; i++)
        if (ends_with(part, len, ends[i]))
            return true;
    return false;
}

/* The last word of names that say something about a secret, or of keys and tokens of another kind: a number, a place. */
static bool is_harmless_end(const char *part, size_t len) {
    static const char *const ends[] = {"dim",  "dims", "size", "len",  "length", "count", "limit",
                                       "file", "path", "dir",  "type", "mode",   NULL};
    for (size_t i = 0; ends[i] != NULL; i++)
        if (is_part(part, len, ends[i]))
            return true;
    return false;
}

/* Words of a name end at anything but a letter or figure, and before a capital that follows a small letter (apiKey). */
bool redact_is_secret_name(const char *name, size_t len) {
    bool is_secret = false, is_harmless = false;
    size_t start = 0;
    for (size_t i = 0; i <= len; i++) {
        bool is_end = i == len || !isalnum((unsigned char)name[i]);
        bool is_hump = !is_end && i > start && isupper((unsigned char)name[i]) && islower((unsigned char)name[i - 1]);
        if (!is_end && !is_hump)
            continue;
        if (i > start) {
            is_secret = is_secret || is_secret_part(name + start, i - start);
            is_harmless = is_harmless_end(name + start, i - start);
        }
        start = is_hump ? i : i + 1;
    }
    return is_secret && !is_harmless;
}
