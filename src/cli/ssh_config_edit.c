/* One line more, or less, in somebody's ssh configuration; all else stays byte for byte. */
#include <string.h>
#include <strings.h>

#include "ssh_config.h"

/* Is this line `Include FILE`, as we write it? What people have written otherwise is theirs. */
static bool is_ours(const char *line, size_t len, const char *file) {
    size_t n = strlen(file);
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' ' || line[len - 1] == '\t'))
        len--;
    while (len > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        len--;
    }
    if (len < 8 + n || strncasecmp(line, "include", 7) != 0 || (line[7] != ' ' && line[7] != '\t'))
        return false;
    const char *rest = line + 7;
    len -= 7;
    while (len > 0 && (*rest == ' ' || *rest == '\t')) {
        rest++;
        len--;
    }
    return len == n && memcmp(rest, file, n) == 0;
}

/* Where the line begins, and where the next one does; false when it is not there. Only what stands before the first
 * Host or Match counts for all hosts. */
static bool find(const char *text, size_t len, const char *file, size_t *begin, size_t *next) {
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t stop = end ? (size_t)(end - text) : len;
        if (is_ours(text + at, stop - at, file)) {
            *begin = at;
            *next = end ? stop + 1 : stop;
            return true;
        }
        at = end ? stop + 1 : len;
    }
    return false;
}

static bool is_global(const char *text, size_t begin) {
    for (size_t at = 0; at < begin;) {
        size_t blank = at;
        while (blank < begin && (text[blank] == ' ' || text[blank] == '\t'))
            blank++;
        if (begin - blank > 5 &&
            (strncasecmp(text + blank, "host", 4) == 0 || strncasecmp(text + blank, "match", 5) == 0) &&
            strchr(" \t=\"", text[blank + (text[blank] == 'h' || text[blank] == 'H' ? 4 : 5)]))
            return false;
        const char *end = memchr(text + at, '\n', begin - at);
        at = end ? (size_t)(end - text) + 1 : begin;
    }
    return true;
}

bool ssh_config_with(const char *text, size_t len, const char *file, struct buf *out) {
    size_t begin, next;
    if (find(text, len, file, &begin, &next) && is_global(text, begin))
        return false;
    return buf_printf(out, "Include %s\n", file) == 0 && buf_append(out, text, len) == 0;
}

bool ssh_config_without(const char *text, size_t len, const char *file, struct buf *out) {
    size_t begin, next;
    if (!find(text, len, file, &begin, &next))
        return false;
    return buf_append(out, text, begin) == 0 && buf_append(out, text + next, len - next) == 0;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '=' || c == '"' || c == '\r';
}

bool ssh_config_names(const char *text, size_t len, const char *name) {
    size_t n = strlen(name);
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t stop = end ? (size_t)(end - text) : len;
        bool host = false;
        for (size_t word = at, next, count = 0; word < stop; word = next, count++) {
            while (word < stop && is_blank(text[word]))
                word++;
            for (next = word; next < stop && !is_blank(text[next]);)
                next++;
            if (count == 0)
                host = next - word == 4 && strncasecmp(text + word, "host", 4) == 0;
            else if (host && next - word == n && memcmp(text + word, name, n) == 0)
                return true;
        }
        at = stop + 1;
    }
    return false;
}
