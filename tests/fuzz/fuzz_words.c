/* Words of a command line: any text; every word lies within the line. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"

#define WORDS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *words[WORDS_MAX], *line = malloc(size + 1);
    size_t count = 0;
    if (!line)
        return 0;
    if (size > 0)
        memcpy(line, data, size);
    line[size] = '\0';
    if (str_words(line, words, WORDS_MAX, &count) == 0) {
        if (count > WORDS_MAX)
            abort();
        for (size_t i = 0; i < count; i++) {
            if (words[i] < line || words[i] + strlen(words[i]) > line + size)
                abort();
        }
    }
    free(line);
    return 0;
}
