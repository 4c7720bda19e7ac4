#include "sallyport/base/str.h"

#include <string.h>

#include "sallyport/base/err.h"
#include "utf8.h"

int str_copy(char *to, size_t size, const char *from) {
    size_t len = strlen(from);
    if (len >= size)
        return SP_ETOOBIG;
    memcpy(to, from, len + 1);
    return 0;
}

bool str_starts(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The digits at *text, which moves behind them. */
static int str_digits(const char **text, uint64_t *out) {
    const char *at = *text;
    uint64_t value = 0;
    bool over = false;
    if (*at < '0' || *at > '9')
        return SP_EFORMAT;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        over = over || value > (UINT64_MAX - digit) / 10;
        value = over ? value : value * 10 + digit;
    }
    *text = at;
    *out = value;
    return over ? SP_ETOOBIG : 0;
}

int str_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out) {
    uint64_t value = 0;
    int rc = str_digits(&text, &value);
    if (*text)
        return SP_EFORMAT;
    if (rc)
        return rc;
    if (value < min || value > max)
        return SP_ETOOBIG;
    *out = value;
    return 0;
}

int str_duration(const char *text, uint64_t *seconds) {
    static const uint64_t longest = 10ULL * 365 * 86400;
    static const struct {
        char letter;
        uint64_t factor;
    } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    uint64_t value = 0;
    int rc = str_digits(&text, &value);
    if (rc == SP_EFORMAT)
        return rc;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (*text != units[i].letter || (*text && text[1]))
            continue;
        if (rc || value > longest / units[i].factor)
            return SP_ETOOBIG;
        *seconds = value * units[i].factor;
        return 0;
    }
    return SP_EFORMAT;
}

bool str_is_clean(const char *text, size_t len) {
    const uint8_t *bytes = (const uint8_t *)text;
    for (size_t i = 0, n; i < len; i += n) {
        uint32_t code;
        n = utf8_next(bytes + i, len - i, &code);
        if (n == 0 || utf8_is_control(code))
            return false;
    }
    return true;
}

size_t str_cut(const char *text, size_t len, size_t max) {
    if (len <= max)
        return len;
    while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
        max--;
    return max;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Takes one word from *from to *to (quotes removed, terminated), both of which move on. `to` never overtakes `from`. */
static int str_take_word(char **from, char **to) {
    char *in = *from, *out = *to;
    char quote = '\0';
    for (; *in && (quote || !is_blank(*in)); in++) {
        if (quote ? *in == quote : (*in == '\'' || *in == '"')) {
            quote = quote ? '\0' : *in;
            continue;
        }
        /* Between double quotes a backslash is special only before these four. */
        if (*in == '\\' && quote != '\'' && (!quote || (in[1] && strchr("$`\"\\", in[1])))) {
            if (!in[1])
                return SP_EFORMAT;
            in++;
        }
        *out++ = *in;
    }
    if (quote)
        return SP_EFORMAT;
    *from = *in ? in + 1 : in;
    *out++ = '\0';
    *to = out;
    return 0;
}

int str_words(char *line, char **words, size_t max, size_t *count) {
    char *in = line, *out = line;
    size_t n = 0;
    for (;;) {
        while (is_blank(*in))
            in++;
        if (!*in)
            break;
        if (n == max)
            return SP_ETOOBIG;
        words[n++] = out;
        int rc = str_take_word(&in, &out);
        if (rc)
            return rc;
    }
    *count = n;
    return 0;
}
