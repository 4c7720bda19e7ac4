/* What the three options files share. */
#ifndef SALLYPORT_BASE_OPTIONS_IMPL_H
#define SALLYPORT_BASE_OPTIONS_IMPL_H

#include "sallyport/base/options.h"

/* The longest of all names that are compared or shown. */
#define OPTION_NAME_MAX 63

/* By name, `-` and `_` being the same, or NULL. */
const struct option *options_find(const struct option_table *table, const char *name);

/* Where its value is. */
void *option_member(const struct option *option, void *config);
/* Gives the option's member the value; a list grows by it. SP_EFORMAT when it is not what option_expected says,
 * SP_ENOMEM. */
int option_assign(const struct option *option, void *config, const char *value);
/* Frees what the member owns and zeroes it. */
void option_clear(const struct option *option, void *config);

/* Of the two spellings, how many letters are added, left out, changed or swapped with their neighbour. */
size_t options_distance(const char *a, const char *b);
/* The option that `name` was meant to be, or NULL when none is near enough. */
const char *options_nearest(const struct option_table *table, const char *name);

/* "port, listen, ...", as many as fit. */
void options_list(const struct option_table *table, char *to, size_t size);
/* The name as on the command line, with `-`. */
void option_dashed(const char *name, char *to, size_t size);
/* What its values look like: "a number from 1 to 65535". */
void option_expected(const struct option *option, char *to, size_t size);
/* A value that is fine: the default where it has one. */
void option_sample(const struct option *option, char *to, size_t size);

#endif
