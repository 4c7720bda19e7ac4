#include "sallyport/wire/door.h"

#include <string.h>

static const char greeting[] = "SALLY1 ";
#define GREETING_LEN (sizeof(greeting) - 1)

static const char *const modes[] = {
    [DOOR_RAW] = "raw", [DOOR_KNOCK] = "knock", [DOOR_PROVE] = "prove",
    [DOOR_ASK] = "ask", [DOOR_SERVE] = "serve", [DOOR_PUNCH] = "punch",
};
#define MODES (sizeof(modes) / sizeof(modes[0]))

/* ASCII that can be seen; blanks as well, if `blank` is the blank. */
static bool is_clean(const char *text, size_t len, char blank) {
    for (size_t i = 0; i < len; i++)
        if (text[i] < blank || text[i] > '~')
            return false;
    return true;
}
#define BLANKS ' '
#define NO_BLANKS '!'

/* Finds the line that begins with the greeting. *len is what stands between that and the line's end. */
static int line_parse(const uint8_t *bytes, size_t n, size_t max, const char **rest, size_t *len, size_t *used) {
    if (n == 0)
        return SP_EAGAIN;
    /* What cannot become one is refused before it has an end: nobody needs to wait for it. */
    if (memcmp(bytes, greeting, n < GREETING_LEN ? n : GREETING_LEN) != 0)
        return SP_EFORMAT;
    const uint8_t *end = memchr(bytes, '\n', n < max ? n : max);
    if (!end)
        return n < max ? SP_EAGAIN : SP_ETOOBIG;
    *used = (size_t)(end - bytes) + 1;
    if (end[-1] == '\r')
        end--;
    *rest = (const char *)bytes + GREETING_LEN;
    *len = (size_t)((const char *)end - *rest);
    return 0;
}

static enum door_mode mode_of(const char *word, size_t len) {
    for (size_t i = 0; i < MODES; i++)
        if (strlen(modes[i]) == len && memcmp(modes[i], word, len) == 0)
            return (enum door_mode)i;
    return DOOR_OTHER;
}

int door_line_parse(const uint8_t *bytes, size_t n, struct door_line *out, size_t *used) {
    const char *mode;
    size_t len, taken;
    int rc = line_parse(bytes, n, DOOR_LINE_MAX, &mode, &len, &taken);
    if (rc)
        return rc;
    const char *blank = memchr(mode, ' ', len);
    if (!blank || blank == mode || !is_clean(mode, (size_t)(blank - mode), NO_BLANKS))
        return SP_EFORMAT;
    const char *argument = blank + 1;
    size_t argument_len = len - (size_t)(argument - mode);
    if (argument_len == 0 || !is_clean(argument, argument_len, NO_BLANKS))
        return SP_EFORMAT;
    *out = (struct door_line){.mode = mode_of(mode, (size_t)(blank - mode)), .argument = argument, .len = argument_len};
    *used = taken;
    return 0;
}

int door_line_format(struct buf *out, enum door_mode mode, const char *argument) {
    size_t len = strlen(argument);
    if (mode >= DOOR_OTHER || len == 0 || !is_clean(argument, len, NO_BLANKS))
        return SP_EINVAL;
    if (GREETING_LEN + strlen(modes[mode]) + 1 + len + 1 > DOOR_LINE_MAX)
        return SP_EINVAL;
    return buf_printf(out, "%s%s %s\n", greeting, modes[mode], argument);
}

int door_answer_parse(const uint8_t *bytes, size_t n, struct door_answer *out, size_t *used) {
    const char *word;
    size_t len, taken;
    int rc = line_parse(bytes, n, DOOR_ANSWER_MAX, &word, &len, &taken);
    if (rc)
        return rc;
    bool ok = len >= 2 && memcmp(word, "ok", 2) == 0;
    if ((!ok && !(len >= 2 && memcmp(word, "no", 2) == 0)) || (len > 2 && word[2] != ' '))
        return SP_EFORMAT;
    const char *text = len > 2 ? word + 3 : word + 2;
    size_t text_len = len > 2 ? len - 3 : 0;
    if (!is_clean(text, text_len, BLANKS))
        return SP_EFORMAT;
    *out = (struct door_answer){.ok = ok, .text = text, .len = text_len};
    *used = taken;
    return 0;
}

int door_answer_format(struct buf *out, bool ok, const char *text) {
    size_t len = text ? strlen(text) : 0;
    if (!is_clean(text ? text : "", len, BLANKS) || GREETING_LEN + 3 + len + 1 > DOOR_ANSWER_MAX)
        return SP_EINVAL;
    return buf_printf(out, "%s%s%s%s\n", greeting, ok ? "ok" : "no", len ? " " : "", len ? text : "");
}
