#include "prices.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/options.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sealed.h"

enum { ENTRIES_MAX = 500 };

/* config/prices.ini as it was written. */
__asm__(".pushsection .rodata\n"
        ".hidden prices_example\n.hidden prices_example_end\n"
        ".global prices_example\n.global prices_example_end\n"
        "prices_example:\n.incbin \"prices.ini\"\n"
        "prices_example_end:\n.popsection\n");
extern const char prices_example[], prices_example_end[];

/* A GPU's price, or (`is_rate`) what a currency is worth in USD. */
struct entry {
    char name[64]; /* a pattern, or the currency */
    bool is_rate;
    double value; /* NAN: it was not said yet */
    char currency[4];
    char source[160];
    char date[11];
};

struct prices {
    struct entry *entries; /* owned */
    size_t count;
};

bool prices_is_currency(const char *text) {
    return strlen(text) == 3 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3;
}

/* Keys of one section follow each other. */
static struct entry *entry_of(struct prices *prices, const char *name, bool is_rate, struct why *why) {
    struct entry *last = prices->count > 0 ? &prices->entries[prices->count - 1] : NULL;
    if (last && last->is_rate == is_rate && strcmp(last->name, name) == 0)
        return last;
    if (prices->count == ENTRIES_MAX) {
        why_set(why, "there are more than %d prices", ENTRIES_MAX);
        return NULL;
    }
    struct entry *grown = reallocarray(prices->entries, prices->count + 1, sizeof(*grown));
    if (!grown) {
        why_set(why, "%s", err_text(SP_ENOMEM));
        return NULL;
    }
    prices->entries = grown;
    struct entry *entry = &grown[prices->count];
    *entry = (struct entry){.is_rate = is_rate, .value = NAN, .currency = "USD"};
    if (str_copy(entry->name, sizeof(entry->name), name)) {
        why_set(why, "the name is longer than %zu bytes", sizeof(entry->name) - 1);
        return NULL;
    }
    prices->count++;
    return entry;
}

static int read_number(const char *text, double *out, struct why *why) {
    char *end = NULL;
    double value = strtod(text, &end);
    if (strspn(text, "0123456789.") != strlen(text) || end == text || *end || !(value > 0) || value > 1e6) {
        why_set(why, "'%.40s' is no price: write it as 0.39", text);
        return SP_EFORMAT;
    }
    *out = value;
    return 0;
}

static int read_date(const char *text, char to[static 11], struct why *why) {
    int64_t when;
    if (strlen(text) != 10 || str_time_read(text, &when)) {
        why_set(why, "'%.40s' is no date: write it as 2026-09-20", text);
        return SP_EFORMAT;
    }
    return str_copy(to, 11, text);
}

static int read_currency(const char *text, char to[static 4], struct why *why) {
    if (!prices_is_currency(text)) {
        why_set(why, "'%.40s' is no currency: write it as USD", text);
        return SP_EFORMAT;
    }
    return str_copy(to, 4, text);
}

static int read_key(struct entry *entry, const char *key, const char *value, struct why *why) {
    if (strcmp(key, entry->is_rate ? "usd" : "per_hour") == 0)
        return read_number(value, &entry->value, why);
    if (strcmp(key, "date") == 0)
        return read_date(value, entry->date, why);
    if (strcmp(key, "source") == 0) {
        size_t len = str_cut(value, strlen(value), sizeof(entry->source) - 1);
        memcpy(entry->source, value, len);
        entry->source[len] = '\0';
        return 0;
    }
    if (!entry->is_rate && strcmp(key, "currency") == 0)
        return read_currency(value, entry->currency, why);
    why_set(why, "unknown key '%.40s'. Known keys: %s", key,
            entry->is_rate ? "usd, date, source" : "per_hour, currency, date, source");
    return SP_EFORMAT;
}

static int gpu_key(void *config, const char *name, const char *key, const char *value, struct why *why) {
    struct entry *entry = entry_of(config, name, false, why);
    return entry ? read_key(entry, key, value, why) : SP_EFORMAT;
}

static int currency_key(void *config, const char *name, const char *key, const char *value, struct why *why) {
    char checked[4];
    if (read_currency(name, checked, why))
        return SP_EFORMAT;
    struct entry *entry = entry_of(config, name, true, why);
    return entry ? read_key(entry, key, value, why) : SP_EFORMAT;
}

int prices_parse(const char *text, size_t len, const char *path, struct prices **out, struct why *why) {
    static const struct option none[] = {{.name = NULL}};
    static const struct option_section sections[] = {{"gpu", gpu_key}, {"currency", currency_key}, {NULL, NULL}};
    static const struct option_table table = {.options = none, .sections = sections};
    struct prices *prices = calloc(1, sizeof(*prices));
    if (!prices)
        return SP_ENOMEM;
    int rc = options_parse(&table, prices, text, len, path, why);
    for (size_t i = 0; rc == 0 && i < prices->count; i++) {
        const struct entry *entry = &prices->entries[i];
        if (isfinite(entry->value))
            continue;
        why_set(why, "%s: [%s %s] wants %s", path, entry->is_rate ? "currency" : "gpu", entry->name,
                entry->is_rate ? "usd = 1.18" : "per_hour = 0.39");
        rc = SP_EFORMAT;
    }
    if (rc < 0) {
        prices_free(prices);
        return rc;
    }
    *out = prices;
    return 0;
}

/* Beside the configuration, wherever that lies. False: there is none. */
static bool usual_path(char *to, size_t size) {
    if (os_default_config(to, size, "relay") < 0)
        return false;
    char *slash = strrchr(to, '/');
    size_t at = slash ? (size_t)(slash - to) + 1 : 0;
    return str_copy(to + at, size - at, "prices.ini") == 0 && access(to, F_OK) == 0;
}

int prices_read(const char *path, struct prices **out, struct why *why) {
    char usual[4200];
    struct buf text;
    if (!path && !usual_path(usual, sizeof(usual)))
        return prices_parse(prices_example, (size_t)(prices_example_end - prices_example), "prices.ini", out, why);
    path = path ? path : usual;
    buf_init(&text);
    int rc = os_read_file(path, (size_t)1 << 20, &text);
    if (rc < 0)
        why_set(why, "%s: %s%s", path, rc == SP_ESYS ? strerror(errno) : err_text(rc), sealed_hint(path));
    else
        rc = prices_parse(buf_len(&text) ? (const char *)buf_head(&text) : "", buf_len(&text), path, out, why);
    buf_fini(&text);
    return rc;
}

void prices_free(struct prices *prices) {
    if (!prices)
        return;
    free(prices->entries);
    free(prices);
}

/* What one unit of it is worth in USD; NAN: nobody has said. */
static double worth(const struct prices *prices, const char *currency) {
    if (strcmp(currency, "USD") == 0)
        return 1;
    for (size_t i = 0; i < prices->count; i++) {
        if (prices->entries[i].is_rate && strcmp(prices->entries[i].name, currency) == 0)
            return prices->entries[i].value;
    }
    return (double)NAN;
}

int prices_find(const struct prices *prices, const char *gpu, const char *currency, struct price_found *out) {
    for (size_t i = 0; i < prices->count; i++) {
        const struct entry *entry = &prices->entries[i];
        if (entry->is_rate || fnmatch(entry->name, gpu, FNM_CASEFOLD | FNM_NOESCAPE) != 0)
            continue;
        double rate =
            strcmp(entry->currency, currency) == 0 ? 1 : worth(prices, entry->currency) / worth(prices, currency);
        if (!isfinite(rate))
            return SP_ENOENT;
        *out = (struct price_found){entry->value * rate, entry->source, entry->date};
        return 0;
    }
    return SP_ENOENT;
}
