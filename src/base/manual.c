/* What is special in roff is the backslash, a dot or an apostrophe at the beginning of a line, and signs that are set as
 * others: a hyphen, which could not be copied into a shell, and quotes, which become round. */
#include "sallyport/base/manual.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { LINE_MAX_BYTES = 512 };

static const char mark[] = ".\\\" table: ";

static void manual_char(char sign, FILE *to) {
    static const struct {
        char sign;
        const char *escape;
    } escapes[] = {
        {'\\', "\\e"}, {'-', "\\-"}, {'\'', "\\(aq"}, {'"', "\\(dq"}, {'`', "\\(ga"}, {'^', "\\(ha"}, {'~', "\\(ti"},
    };
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        if (escapes[i].sign == sign) {
            (void)fputs(escapes[i].escape, to);
            return;
        }
    }
    (void)fputc(sign == '\n' ? ' ' : sign, to);
}

static void manual_chars(const char *text, size_t len, FILE *to) {
    for (size_t i = 0; i < len; i++)
        manual_char(text[i], to);
}

void manual_text(const char *text, FILE *to) {
    if (text[0] == '.')
        (void)fputs("\\&", to);
    while (*text) {
        const char *end = *text == '`' ? strchr(text + 1, '`') : NULL;
        if (end) {
            (void)fputs("\\fB", to);
            manual_chars(text + 1, (size_t)(end - text - 1), to);
            (void)fputs("\\fR", to);
            text = end + 1;
        } else {
            manual_char(*text++, to);
        }
    }
}

/* 'I' for what stands for something else, 'B' for what is typed, 'R' for the signs between. */
static char usage_font(const char *word, size_t len) {
    bool capital = false, plain = true;
    for (size_t i = 0; i < len; i++) {
        if (word[i] >= 'a' && word[i] <= 'z')
            return 'B';
        capital = capital || (word[i] >= 'A' && word[i] <= 'Z');
        plain = plain && strchr(".=", word[i]);
    }
    return capital ? 'I' : plain ? 'R' : 'B';
}

void manual_usage(const char *usage, FILE *to) {
    size_t end = strlen(usage);
    while (end > 0 && usage[end - 1] == ' ') /* of who takes no arguments */
        end--;
    for (const char *stop = usage + end; usage < stop;) {
        size_t len = strcspn(usage, " []|,/");
        if (len == 0) {
            manual_char(*usage++, to);
            continue;
        }
        (void)fprintf(to, "\\f%c", usage_font(usage, len));
        manual_chars(usage, len, to);
        (void)fputs("\\fR", to);
        usage += len;
    }
}

void manual_item(const char *usage, const char *help, FILE *to) {
    (void)fputs(".TP\n", to);
    manual_usage(usage, to);
    (void)fputc('\n', to);
    manual_text(help, to);
    (void)fputc('\n', to);
}

void manual_rows(const void *rows, FILE *to) {
    for (const struct manual_row *row = rows; row->usage; row++)
        manual_item(row->usage, row->help, to);
}

static int manual_table(const char *path, const char *name, const struct manual_part *parts, FILE *to,
                        struct why *why) {
    for (; parts->name; parts++) {
        if (strcmp(parts->name, name) == 0) {
            parts->print(parts->ctx, to);
            return 0;
        }
    }
    why_set(why, "%s wants a table '%s', and there is none", path, name);
    return SP_EFORMAT;
}

int manual_print(const char *path, const struct manual_part *parts, FILE *to, struct why *why) {
    char line[LINE_MAX_BYTES];
    FILE *from = fopen(path, "re");
    int rc = 0;
    while (from && !rc && fgets(line, sizeof line, from)) {
        if (strncmp(line, mark, sizeof mark - 1) != 0) {
            (void)fputs(line, to);
            continue;
        }
        line[strcspn(line, "\n")] = '\0';
        rc = manual_table(path, line + sizeof mark - 1, parts, to, why);
    }
    if (!rc && (!from || ferror(from) || fflush(to) || ferror(to))) {
        why_set(why, "cannot make a page of %s: %s", path, strerror(errno));
        rc = SP_ESYS;
    }
    if (from)
        (void)fclose(from);
    return rc;
}
