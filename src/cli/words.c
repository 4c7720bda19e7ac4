#include "words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/err.h"

void words_init(struct words *words) {
    *words = (struct words){0};
}

void words_fini(struct words *words) {
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
    words_init(words);
}

/* Takes the word over. */
static void words_take(struct words *words, char *word) {
    char **more = word && !words->rc ? realloc(words->items, (words->count + 2) * sizeof *more) : NULL;
    if (!more) {
        words->rc = words->rc ? words->rc : SP_ENOMEM;
        free(word);
        return;
    }
    words->items = more;
    words->items[words->count++] = word;
    words->items[words->count] = NULL;
}

void words_add(struct words *words, const char *word) {
    words_take(words, strdup(word));
}

void words_addf(struct words *words, const char *format, ...) {
    char *word = NULL;
    va_list arguments;
    va_start(arguments, format);
    int n = vasprintf(&word, format, arguments);
    va_end(arguments);
    words_take(words, n < 0 ? NULL : word);
}

int words_percent(struct buf *to, const char *text) {
    int rc = 0;
    for (; *text && !rc; text++)
        rc = buf_append(to, *text == '%' ? "%%" : text, *text == '%' ? 2 : 1);
    return rc;
}

void words_file(struct words *words, const char *option, const char *path) {
    struct buf quoted, safe;
    buf_init(&quoted);
    buf_init(&safe);
    int rc = buf_append_quoted(&quoted, path);
    const char *text = rc ? NULL : buf_string(&quoted);
    rc = text ? words_percent(&safe, text) : SP_ENOMEM;
    const char *done = rc ? NULL : buf_string(&safe);
    if (done)
        words_addf(words, "%s%s", option, done);
    else
        words->rc = words->rc ? words->rc : SP_ENOMEM;
    buf_fini(&quoted);
    buf_fini(&safe);
}

int words_line(const struct words *words, struct buf *to) {
    int rc = words->rc;
    for (size_t i = 0; i < words->count && !rc; i++) {
        if (i > 0)
            rc = buf_append(to, " ", 1);
        if (!rc)
            rc = buf_append_quoted(to, words->items[i]);
    }
    return rc;
}
