/* Cookies: what was stripped has our name no more and lost nothing else, and what was cleaned stays as it is. */
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/wire/http_cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OURS "__Host-sallyport"

static void demand(bool ok) {
    if (!ok)
        abort();
}

static struct http_text text_of(const struct buf *buf) {
    return (struct http_text){(const char *)buf_head(buf), buf_len(buf)};
}

static bool same(struct http_text one, struct http_text other) {
    return one.len == other.len && (one.len == 0 || memcmp(one.at, other.at, one.len) == 0);
}

/* Counts the parts between semicolons that are not blank, and of those the ones that begin with `word`, perhaps
 * blanks, and then '=', ';' or nothing. Letter by letter, in another way than the code under test. */
static size_t count_parts(struct http_text text, const char *word, size_t *named) {
    size_t parts = 0, len = strlen(word);
    bool at_start = true;
    *named = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.at[i];
        if (c == ';') {
            at_start = true;
            continue;
        }
        if (!at_start || c == ' ' || c == '\t')
            continue;
        at_start = false;
        parts++;
        size_t same_letters = 0;
        while (same_letters < len && i + same_letters < text.len &&
               tolower((uint8_t)text.at[i + same_letters]) == tolower((uint8_t)word[same_letters]))
            same_letters++;
        size_t next = i + same_letters;
        while (next < text.len && (text.at[next] == ' ' || text.at[next] == '\t'))
            next++;
        *named += same_letters == len && (next == text.len || text.at[next] == '=' || text.at[next] == ';');
    }
    return parts;
}

static void check_strip(struct http_text field) {
    struct http_text value;
    struct buf once, twice;
    size_t named, left;
    buf_init(&once);
    buf_init(&twice);
    int found = http_cookie_find(field, OURS, &value);
    demand(http_cookie_strip(field, OURS, &once) == 0);
    demand(http_cookie_strip(text_of(&once), OURS, &twice) == 0);
    demand(same(text_of(&once), text_of(&twice)));
    demand(http_cookie_find(text_of(&once), OURS, &value) == SP_ENOENT);
    size_t before = count_parts(field, OURS, &named), after = count_parts(text_of(&once), OURS, &left);
    demand(after + (named ? 1 : 0) <= before);
    demand(found == SP_ENOENT || named > 0);
    buf_fini(&once);
    buf_fini(&twice);
}

static void check_clean(struct http_text field) {
    struct buf once, twice;
    size_t domains, ours;
    buf_init(&once);
    buf_init(&twice);
    int rc = http_cookie_clean(field, OURS, &once);
    demand(rc == 0 || (rc == SP_EDENIED && buf_len(&once) == 0));
    if (rc == 0) {
        struct http_text first = text_of(&once), value;
        const char *end = memchr(first.at, ';', first.len);
        demand(http_cookie_clean(text_of(&once), OURS, &twice) == 0);
        demand(same(text_of(&once), text_of(&twice)));
        if (end) {
            struct http_text rest = {end + 1, first.len - (size_t)(end + 1 - first.at)};
            first.len = (size_t)(end - first.at);
            count_parts(rest, "Domain", &domains);
            demand(domains == 0);
        }
        count_parts(first, OURS, &ours);
        demand(ours == 0 && memchr(first.at, '=', first.len) && http_cookie_find(first, OURS, &value) == SP_ENOENT);
    }
    buf_fini(&once);
    buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct http_text field = {(const char *)data, size};
    check_strip(field);
    check_clean(field);
    return 0;
}
