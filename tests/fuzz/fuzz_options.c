/* The configuration reader: any bytes as a file. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sallyport/base/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct config {
    char *name;
    uint64_t port, wait;
    bool quiet;
    int mode;
    struct option_list listen;
};

static int take_key(void *config, const char *name, const char *key, const char *value, struct why *why) {
    (void)config;
    if (strlen(name) + strlen(key) + strlen(value) < 40)
        return 0;
    why_set(why, "'%s' is too long", key);
    return SP_EINVAL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct option options[] = {
        {.name = "name", .type = OPTION_TEXT, .offset = offsetof(struct config, name)},
        {.name = "port",
         .type = OPTION_NUMBER,
         .initial = "22",
         .min = 1,
         .max = 65535,
         .offset = offsetof(struct config, port)},
        {.name = "wait", .type = OPTION_DURATION, .initial = "10m", .offset = offsetof(struct config, wait)},
        {.name = "quiet", .type = OPTION_FLAG, .offset = offsetof(struct config, quiet)},
        {.name = "mode", .type = OPTION_CHOICE, .choices = "auto|off", .offset = offsetof(struct config, mode)},
        {.name = "listen", .type = OPTION_LIST, .initial = "a, b", .offset = offsetof(struct config, listen)},
        {0},
    };
    static const struct option_section sections[] = {{"service", take_key}, {0}};
    static const struct option_table table = {.options = options, .sections = sections};
    struct config config;
    struct why why;
    if (options_init(&table, &config))
        return 0;
    options_parse(&table, &config, (const char *)data, size, "x.ini", &why);
    options_fini(&table, &config);
    return 0;
}
