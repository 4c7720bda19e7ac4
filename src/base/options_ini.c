/* Options from an INI file and from the command line. */
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "options_impl.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

#define CONFIG_MAX ((size_t)1 << 20)

/* One reading. inih does not tell its handler the line, so the lines are counted as they are handed to it. */
struct reading {
    const struct option_table *table;
    void *config;
    const char *path;
    struct why *why;
    const char *at, *end;
    int line;
    int *given; /* for each option the line where it was given; 0: not yet */
    int rc;     /* the first error, which ends the reading */
};

static void reading_fail(struct reading *reading, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void reading_fail(struct reading *reading, int rc, const char *format, ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    why_set(reading->why, "%s:%d: %s", reading->path, reading->line, text);
    reading->rc = rc;
}

/* Hands inih the next line, as fgets would. Blanks in front are left out: to inih an indented line would be the value
 * of the key above, gone on. */
static char *reading_line(char *to, int size, void *stream) {
    struct reading *reading = stream;
    if (reading->rc || reading->at == reading->end)
        return NULL;
    reading->line++;
    const char *line = reading->at;
    const char *newline = memchr(line, '\n', (size_t)(reading->end - line));
    reading->at = newline ? newline + 1 : reading->end;
    while (line < reading->at && (*line == ' ' || *line == '\t'))
        line++;
    size_t len = (size_t)(reading->at - line);
    if (len + 1 > (size_t)size) {
        reading_fail(reading, SP_EFORMAT, "the line is longer than %d bytes: give a key with many values several times",
                     size - 2);
        return NULL;
    }
    if (memchr(line, '\0', len)) {
        reading_fail(reading, SP_EFORMAT, "there is a zero byte in it: is this a text file?");
        return NULL;
    }
    memcpy(to, line, len);
    to[len] = '\0';
    return to;
}

static void reading_unknown_key(struct reading *reading, const char *key) {
    char known[300];
    options_list(reading->table, known, sizeof(known));
    const char *best = options_nearest(reading->table, key);
    reading_fail(reading, SP_EFORMAT, "unknown key '%s'%s%s%s Known keys: %s", key, best ? ": did you mean '" : ".",
                 best ? best : "", best ? "'?" : "", known);
}

static void reading_option(struct reading *reading, const char *key, const char *value) {
    const struct option *option = options_find(reading->table, key);
    if (!option) {
        reading_unknown_key(reading, key);
        return;
    }
    int *given = &reading->given[option - reading->table->options];
    if (*given && option->type != OPTION_LIST) {
        reading_fail(reading, SP_EFORMAT, "'%s' is given a second time, first in line %d: keep one of them", key,
                     *given);
        return;
    }
    /* The first line of a list takes the place of the default, the next ones add to it. */
    if (!*given && option->type == OPTION_LIST)
        option_clear(option, reading->config);
    *given = reading->line;
    int rc = option_assign(option, reading->config, value);
    if (rc == SP_EFORMAT) {
        char expected[160], sample[80];
        option_expected(option, expected, sizeof(expected));
        option_sample(option, sample, sizeof(sample));
        reading_fail(reading, rc, "'%s' should be %s, not '%s'; for example '%s = %s'", option->name, expected, value,
                     option->name, sample);
    } else if (rc) {
        reading_fail(reading, rc, "'%s': %s", option->name, err_text(rc));
    }
}

static void reading_unknown_section(struct reading *reading, const char *section) {
    char known[200] = "";
    size_t used = 0;
    for (const struct option_section *one = reading->table->sections; one && one->type; one++) {
        int n = snprintf(known + used, sizeof(known) - used, ", [%s NAME]", one->type);
        if (n < 0 || (size_t)n >= sizeof(known) - used)
            break;
        used += (size_t)n;
    }
    reading_fail(reading, SP_EFORMAT, "unknown section [%s]. Known sections: [main]%s", section, known);
}

static void reading_section(struct reading *reading, const char *section, const char *key, const char *value) {
    size_t type_len = strcspn(section, " \t");
    const char *name = section + type_len + strspn(section + type_len, " \t");
    const struct option_section *known = reading->table->sections;
    while (known && known->type && (strlen(known->type) != type_len || memcmp(known->type, section, type_len) != 0))
        known++;
    if (!known || !known->type) {
        reading_unknown_section(reading, section);
        return;
    }
    if (!name[0]) {
        reading_fail(reading, SP_EFORMAT, "the section [%s] wants a name, as in [%s NAME]", section, known->type);
        return;
    }
    struct why why = {""};
    int rc = known->key(reading->config, name, key, value, &why);
    if (rc)
        reading_fail(reading, rc == SP_ENOMEM ? rc : SP_EFORMAT, "[%s] %s", section, why.text);
}

static int reading_key(void *ctx, const char *section, const char *key, const char *value) {
    struct reading *reading = ctx;
    if (reading->rc)
        return 0;
    if (!str_is_clean(value, strlen(value)) || !str_is_clean(key, strlen(key)) ||
        !str_is_clean(section, strlen(section)))
        reading_fail(reading, SP_EFORMAT, "there are control characters in it, or it is not UTF-8");
    else if (section[0] == '\0' || strcmp(section, "main") == 0)
        reading_option(reading, key, value);
    else
        reading_section(reading, section, key, value);
    return reading->rc == 0;
}

int options_parse(const struct option_table *table, void *config, const char *text, size_t len, const char *path,
                  struct why *why) {
    struct reading reading = {
        .table = table, .config = config, .path = path, .why = why, .at = text, .end = text + len};
    size_t count = 0;
    while (table->options[count].name)
        count++;
    reading.given = calloc(count + 1, sizeof(*reading.given));
    if (!reading.given)
        return SP_ENOMEM;
    int first = ini_parse_stream(reading_line, &reading, reading_key, &reading);
    free(reading.given);
    /* inih goes on after a line that it cannot read, and tells at the end which was the first. */
    if (first > 0 && (reading.rc == 0 || first < reading.line)) {
        reading.line = first;
        reading_fail(&reading, SP_EFORMAT, "expected 'key = value', '[section]' or a comment behind '#'");
    }
    return first == -2 ? SP_ENOMEM : reading.rc;
}

int options_read(const struct option_table *table, void *config, const char *path, struct why *why) {
    struct buf text;
    buf_init(&text);
    int rc = os_read_file(path, CONFIG_MAX, &text);
    if (rc == SP_ESYS && errno == ENOENT) {
        why_set(why, "there is no configuration file %s", path);
        rc = SP_ENOENT;
    } else if (rc == SP_ETOOBIG) {
        why_set(why, "%s is larger than 1 MiB: is it the configuration file?", path);
        rc = SP_EFORMAT;
    } else if (rc) {
        why_set(why, "cannot read the configuration file %s: %s", path, err_text(rc));
    } else if (buf_len(&text) > 0) {
        rc = options_parse(table, config, (const char *)buf_head(&text), buf_len(&text), path, why);
    }
    buf_wipe(&text);
    return rc;
}
