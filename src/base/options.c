#include "sallyport/base/options.h"

#include <stdlib.h>
#include <string.h>

#include "options_impl.h"
#include "sallyport/base/str.h"

void *option_member(const struct option *option, void *config) {
    return (char *)config + option->offset;
}

static void option_zero(const struct option *option, void *config) {
    static const size_t sizes[] = {
        [OPTION_TEXT] = sizeof(char *), [OPTION_NUMBER] = sizeof(uint64_t), [OPTION_DURATION] = sizeof(uint64_t),
        [OPTION_FLAG] = sizeof(bool),   [OPTION_CHOICE] = sizeof(int),      [OPTION_LIST] = sizeof(struct option_list),
    };
    memset(option_member(option, config), 0, sizes[option->type]);
}

void option_clear(const struct option *option, void *config) {
    void *member = option_member(option, config);
    if (option->type == OPTION_TEXT) {
        free(*(char **)member);
    } else if (option->type == OPTION_LIST) {
        const struct option_list *list = member;
        for (size_t i = 0; i < list->count; i++)
            free(list->items[i]);
        free(list->items);
    }
    option_zero(option, config);
}

static int option_text(const struct option *option, void *config, const char *value) {
    char *copy = strdup(value);
    if (!copy)
        return SP_ENOMEM;
    option_clear(option, config);
    *(char **)option_member(option, config) = copy;
    return 0;
}

static int option_number(const struct option *option, void *config, const char *value) {
    uint64_t number = 0, max = option->max ? option->max : UINT64_MAX;
    int rc = option->type == OPTION_DURATION ? str_duration(value, &number) : str_u64(value, 0, UINT64_MAX, &number);
    if (rc || number < option->min || number > max)
        return SP_EFORMAT;
    *(uint64_t *)option_member(option, config) = number;
    return 0;
}

static int option_flag(const struct option *option, void *config, const char *value) {
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(value, words[i]) == 0) {
            *(bool *)option_member(option, config) = i % 2;
            return 0;
        }
    }
    return SP_EFORMAT;
}

static int option_select(const struct option *option, void *config, const char *value) {
    const char *choice = option->choices;
    for (int i = 0;; i++) {
        size_t len = strcspn(choice, "|");
        if (strlen(value) == len && memcmp(value, choice, len) == 0) {
            *(int *)option_member(option, config) = i;
            return 0;
        }
        if (!choice[len])
            return SP_EFORMAT;
        choice += len + 1;
    }
}

static int option_append(const struct option *option, void *config, const char *value) {
    struct option_list *list = option_member(option, config);
    while (*value) {
        value += strspn(value, " \t,");
        size_t len = strcspn(value, ",");
        const char *next = value + len;
        while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
            len--;
        if (len > 0) {
            char **items = reallocarray(list->items, list->count + 1, sizeof(char *));
            if (!items)
                return SP_ENOMEM;
            list->items = items;
            items[list->count] = strndup(value, len);
            if (!items[list->count])
                return SP_ENOMEM;
            list->count++;
        }
        value = next;
    }
    return 0;
}

int option_assign(const struct option *option, void *config, const char *value) {
    switch (option->type) {
    case OPTION_TEXT:
        return option_text(option, config, value);
    case OPTION_NUMBER:
    case OPTION_DURATION:
        return option_number(option, config, value);
    case OPTION_FLAG:
        return option_flag(option, config, value);
    case OPTION_CHOICE:
        return option_select(option, config, value);
    case OPTION_LIST:
        return option_append(option, config, value);
    }
    return SP_EINVAL;
}

int options_init(const struct option_table *table, void *config) {
    for (const struct option *option = table->options; option->name; option++)
        option_zero(option, config);
    for (const struct option *option = table->options; option->name; option++) {
        if (!option->initial)
            continue;
        int rc = option_assign(option, config, option->initial);
        if (rc) {
            options_fini(table, config);
            return rc;
        }
    }
    return 0;
}

void options_fini(const struct option_table *table, void *config) {
    for (const struct option *option = table->options; option->name; option++)
        option_clear(option, config);
}
