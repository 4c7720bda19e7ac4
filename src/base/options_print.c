/* What --help, the example file and the manual say, from the same table that the parsers use. */
#include <inttypes.h>
#include <string.h>

#include "options_impl.h"
#include "sallyport/base/manual.h"

static const char *option_metavar(const struct option *option) {
    static const char *const by_type[] = {
        [OPTION_TEXT] = "TEXT",   [OPTION_NUMBER] = "N", [OPTION_DURATION] = "TIME",
        [OPTION_FLAG] = "yes|no", [OPTION_CHOICE] = "",  [OPTION_LIST] = "ITEM,...",
    };
    if (option->metavar)
        return option->metavar;
    return option->type == OPTION_CHOICE ? option->choices : by_type[option->type];
}

static bool option_has_initial(const struct option *option) {
    return option->initial && option->initial[0];
}

static size_t option_head_len(const struct option *option) {
    return strlen(option->name) + 1 + strlen(option_metavar(option));
}

void options_help(const struct option_table *table, FILE *to) {
    size_t widest = 0;
    for (const struct option *option = table->options; option->name; option++) {
        if (option->cli && option_head_len(option) > widest)
            widest = option_head_len(option);
    }
    for (const struct option *option = table->options; option->name; option++) {
        char dashed[OPTION_NAME_MAX + 1];
        if (!option->cli)
            continue;
        option_dashed(option->name, dashed, sizeof(dashed));
        fprintf(to, "  --%s %s%*s  %s", dashed, option_metavar(option), (int)(widest - option_head_len(option)), "",
                option->help);
        if (option_has_initial(option))
            fprintf(to, " (default: %s)", option->initial);
        fputc('\n', to);
    }
}

static void option_number_range(const struct option *option, char *to, size_t size) {
    if (option->max)
        snprintf(to, size, " from %" PRIu64 " to %" PRIu64, option->min, option->max);
    else if (option->min)
        snprintf(to, size, " of at least %" PRIu64, option->min);
    else
        to[0] = '\0';
}

static void option_choices(const struct option *option, char *to, size_t size) {
    int n = snprintf(to, size, "one of ");
    size_t used = n > 0 ? (size_t)n : 0;
    for (const char *at = option->choices; *at && used + 3 < size; at++) {
        if (*at == '|')
            to[used++] = ',';
        to[used++] = *at == '|' ? ' ' : *at;
    }
    to[used] = '\0';
}

void option_expected(const struct option *option, char *to, size_t size) {
    char range[64];
    option_number_range(option, range, sizeof(range));
    switch (option->type) {
    case OPTION_TEXT:
        snprintf(to, size, "a text");
        break;
    case OPTION_NUMBER:
        snprintf(to, size, "a number%s", range);
        break;
    case OPTION_DURATION:
        snprintf(to, size, "a time%s%s, written like 90s, 10m, 24h or 7d", range, range[0] ? " seconds" : "");
        break;
    case OPTION_FLAG:
        snprintf(to, size, "yes or no");
        break;
    case OPTION_CHOICE:
        option_choices(option, to, size);
        break;
    case OPTION_LIST:
        snprintf(to, size, "one or several, with commas between them");
        break;
    }
}

void option_sample(const struct option *option, char *to, size_t size) {
    static const char *const by_type[] = {
        [OPTION_TEXT] = "",    [OPTION_NUMBER] = "1", [OPTION_DURATION] = "10m",
        [OPTION_FLAG] = "yes", [OPTION_CHOICE] = "",  [OPTION_LIST] = "",
    };
    if (option_has_initial(option))
        snprintf(to, size, "%s", option->initial);
    else if (option->type == OPTION_CHOICE)
        snprintf(to, size, "%.*s", (int)strcspn(option->choices, "|"), option->choices);
    else if (option->min)
        snprintf(to, size, "%" PRIu64, option->min);
    else
        snprintf(to, size, "%s", by_type[option->type]);
}

void options_example(const struct option_table *table, FILE *to) {
    for (const struct option *option = table->options; option->name; option++) {
        char expected[160];
        option_expected(option, expected, sizeof(expected));
        fprintf(to, "%s# %s (%s).\n", option == table->options ? "" : "\n", option->help, expected);
        if (option_has_initial(option))
            fprintf(to, "#%s = %s\n", option->name, option->initial);
        else
            fprintf(to, "#%s =\n", option->name);
    }
}

void options_manual(const void *table, FILE *to) {
    for (const struct option *option = ((const struct option_table *)table)->options; option->name; option++) {
        char dashed[OPTION_NAME_MAX + 1], usage[160];
        if (!option->cli)
            continue;
        option_dashed(option->name, dashed, sizeof(dashed));
        snprintf(usage, sizeof(usage), "--%s %s", dashed, option_metavar(option));
        manual_item(usage, option->help, to);
        if (option_has_initial(option)) {
            fputs("(default: ", to);
            manual_text(option->initial, to);
            fputs(")\n", to);
        }
    }
}

/* What an item of the file takes, where its head does not say it, and what it is when it is not given. */
static void option_manual_value(const struct option *option, FILE *to) {
    bool measured = option->type == OPTION_NUMBER || option->type == OPTION_DURATION;
    char expected[160], text[200];
    if (!measured && !option_has_initial(option))
        return;
    fputs(".br\n", to);
    if (measured) {
        option_expected(option, expected, sizeof(expected));
        snprintf(text, sizeof(text), "Value: %s.", expected);
        manual_text(text, to);
        fputc('\n', to);
    }
    if (option_has_initial(option)) {
        snprintf(text, sizeof(text), "Default: %s.", option->initial);
        manual_text(text, to);
        fputc('\n', to);
    }
}

void options_manual_keys(const void *table, FILE *to) {
    for (const struct option *option = ((const struct option_table *)table)->options; option->name; option++) {
        char usage[160];
        snprintf(usage, sizeof(usage), "%s = %s", option->name, option_metavar(option));
        manual_item(usage, option->help, to);
        option_manual_value(option, to);
    }
}
