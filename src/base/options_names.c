/* Names of options: how they are looked up, and which one was meant by a misspelt one. */
#include <string.h>

#include "options_impl.h"
#include "sallyport/base/str.h"

const struct option *options_find(const struct option_table *table, const char *name) {
    for (const struct option *option = table->options; option->name; option++) {
        const char *a = option->name, *b = name;
        while (*a && (*a == *b || (*a == '_' && *b == '-'))) {
            a++;
            b++;
        }
        if (*a == *b)
            return option;
    }
    return NULL;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

size_t options_distance(const char *a, const char *b) {
    size_t rows[3][OPTION_NAME_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len > OPTION_NAME_MAX || b_len > OPTION_NAME_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    /* row[j]: the steps from the first i letters of a to the first j of b. */
    for (size_t i = 1; i <= a_len; i++) {
        size_t *recycled = before;
        before = above;
        above = row;
        row = recycled;
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = least(above[j], row[j - 1]) + 1;
            row[j] = least(row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
    }
    return row[b_len];
}

const char *options_nearest(const struct option_table *table, const char *name) {
    const char *best = NULL;
    size_t least_distance = SIZE_MAX;
    for (const struct option *option = table->options; option->name; option++) {
        size_t distance = options_distance(name, option->name);
        if (distance < least_distance && distance <= (strlen(option->name) + 2) / 3) {
            least_distance = distance;
            best = option->name;
        }
    }
    return best;
}

void options_list(const struct option_table *table, char *to, size_t size) {
    size_t used = 0;
    to[0] = '\0';
    for (const struct option *option = table->options; option->name; option++) {
        int n = snprintf(to + used, size - used, "%s%s", used ? ", " : "", option->name);
        if (n < 0 || (size_t)n >= size - used) {
            to[used] = '\0';
            return;
        }
        used += (size_t)n;
    }
}

void option_dashed(const char *name, char *to, size_t size) {
    size_t i = 0;
    for (; name[i] && i + 1 < size; i++)
        to[i] = name[i] == '_' ? '-' : name[i];
    to[i] = '\0';
}

int options_check_name(const struct option_table *table, const char *name, struct why *why) {
    char dashed[OPTION_NAME_MAX + 1];
    if (options_find(table, name))
        return 0;
    const char *best = options_nearest(table, name);
    option_dashed(best ? best : "", dashed, sizeof(dashed));
    if (best)
        why_set(why, "unknown option --%s: did you mean --%s?", name, dashed);
    else
        why_set(why, "unknown option --%s: --help lists them", name);
    return SP_ENOENT;
}

int options_set(const struct option_table *table, void *config, const char *name, const char *value, struct why *why) {
    const struct option *option = options_find(table, name);
    char dashed[OPTION_NAME_MAX + 1], expected[160], sample[80];
    if (!option)
        return options_check_name(table, name, why);
    option_dashed(option->name, dashed, sizeof(dashed));
    if (!str_is_clean(value, strlen(value))) {
        why_set(why, "--%s: there are control characters in the value, or it is not UTF-8", dashed);
        return SP_EFORMAT;
    }
    if (option->type == OPTION_LIST) {
        struct option_list *list = option_member(option, config);
        if (!list->given)
            option_clear(option, config);
        list->given = true;
    }
    int rc = option_assign(option, config, value);
    if (rc == SP_EFORMAT) {
        option_expected(option, expected, sizeof(expected));
        option_sample(option, sample, sizeof(sample));
        why_set(why, "--%s should be %s, not '%s'; for example --%s %s", dashed, expected, value, dashed, sample);
    } else if (rc) {
        why_set(why, "--%s: %s", dashed, err_text(rc));
    }
    return rc;
}
