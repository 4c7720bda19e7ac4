/* Pages of the manual, as man(7) describes them: templates into which a program puts what its own tables say. */
#ifndef SALLYPORT_BASE_MANUAL_H
#define SALLYPORT_BASE_MANUAL_H

#include <stdio.h>

#include "sallyport/base/err.h"

/* What takes the place of the template's line `.\" table: NAME`. */
struct manual_part {
    const char *name;
    void (*print)(const void *ctx, FILE *to);
    const void *ctx;
};

/* A row of a table that is only shown. */
struct manual_row {
    const char *usage; /* "--config FILE" */
    const char *help;  /* as --help has it */
};

/* Writes `text` so that nothing in it is a request or an escape (groff(7)); `words like these` become bold. */
void manual_text(const char *text, FILE *to);
/* Writes "[NAME] --for 24h | -": words in capitals stand for something and become italic, what is typed as it is becomes
 * bold. */
void manual_usage(const char *usage, FILE *to);
/* Writes an item of a list, but for what is to follow in its text. */
void manual_item(const char *usage, const char *help, FILE *to);

/* All rows as items, up to the one without usage. To be used as a part's print. */
void manual_rows(const void *rows, FILE *to);

/* Copies the template at `path`, with its tables filled in from `parts`, which end with name == NULL. 0; SP_EFORMAT for a
 * table that is not among them, SP_ESYS; with why. */
int manual_print(const char *path, const struct manual_part *parts, FILE *to, struct why *why);

#endif
