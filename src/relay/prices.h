/* What GPUs cost in a cloud, from prices.ini: an example that is compiled in, or the file that somebody has edited. */
#ifndef SALLYPORT_RELAY_PRICES_H
#define SALLYPORT_RELAY_PRICES_H

#include <stdbool.h>
#include <stddef.h>

#include "sallyport/base/err.h"

struct prices;

/* The file at `path`; NULL: "prices.ini" where the relay's configuration usually lies, else what is compiled in. SP_ENOENT,
 * SP_EFORMAT with file and line in why, SP_ESYS, SP_ENOMEM. */
int prices_read(const char *path, struct prices **out, struct why *why);
/* The same from memory; `path` is for messages. For fuzzing and tests. */
int prices_parse(const char *text, size_t len, const char *path, struct prices **out, struct why *why);
/* NULL is allowed. */
void prices_free(struct prices *prices);

/* A price as it was found. Texts are the prices'. */
struct price_found {
    double per_hour;    /* in the currency that was asked for */
    const char *source; /* "" when it was not said */
    const char *date;   /* "2026-09-20"; "" */
};
/* The hour of a GPU of that name. SP_ENOENT: it has no price, or none that can be told in that currency. */
int prices_find(const struct prices *prices, const char *gpu, const char *currency, struct price_found *out);

/* Three capital letters. */
bool prices_is_currency(const char *text);

#endif
