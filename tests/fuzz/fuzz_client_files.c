/* What people and relays have written: ssh's configuration, host keys, words for a shell. What is added can be taken away
 * again, and what is quoted is read back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hostkeys.h"
#include "sallyport/base/str.h"
#include "ssh_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void configuration(const char *text, size_t len) {
    struct buf with, without;
    buf_init(&with);
    buf_init(&without);
    if (ssh_config_with(text, len, "ours", &with)) {
        if (!ssh_config_without((const char *)buf_head(&with), buf_len(&with), "ours", &without) ||
            buf_len(&without) != len || (len && memcmp(buf_head(&without), text, len) != 0))
            abort();
    }
    (void)ssh_config_names(text, len, "box1");
    buf_fini(&with);
    buf_fini(&without);
}

static void word(const char *text) {
    struct buf line;
    char copy[4096], *words[4];
    size_t count = 0;
    buf_init(&line);
    if (buf_append_quoted(&line, text) || str_copy(copy, sizeof copy, buf_string(&line)) == 0) {
        if (str_words(copy, words, 4, &count) || count != 1 || strcmp(words[0], text) != 0)
            abort();
    }
    buf_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hostkeys keys = {.count = 0};
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    configuration(text, size);
    word(text);
    if (hostkeys_add(&keys, text) && strpbrk(keys.lines[0], "\r\n\t"))
        abort();
    free(text);
    return 0;
}
