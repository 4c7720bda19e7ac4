/* The words of a command that is to be run, and how they are quoted for a shell. */
#ifndef SALLYPORT_CLI_WORDS_H
#define SALLYPORT_CLI_WORDS_H

#include <stddef.h>

#include "sallyport/base/buf.h"

struct words {
    char **items; /* owned; ends with NULL once there is one */
    size_t count;
    int rc; /* the first failure; what follows it does nothing. Look at it before use */
};

void words_init(struct words *words);
void words_fini(struct words *words);
void words_add(struct words *words, const char *word);
void words_addf(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An option of ssh whose value is the path of a file: quoted, and with each % doubled, since ssh replaces what begins
 * with one. */
void words_file(struct words *words, const char *option, const char *path);

/* Appends the text with each % doubled. SP_ENOMEM. */
int words_percent(struct buf *to, const char *text);
/* All words quoted, with blanks between. */
int words_line(const struct words *words, struct buf *to);

#endif
