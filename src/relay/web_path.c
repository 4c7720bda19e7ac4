/* Does a path fit a route's, whose {name}s stand for one part each? */
#include <string.h>

#include "sallyport/base/str.h"
#include "web_local.h"

/* The same up to the next slash, or what is between two. */
static size_t part_len(const char *text) {
    return strcspn(text, "/");
}

/* Ends the parts, which lie one behind another with their slashes. */
static void cut_parts(struct web_visit *visit, const size_t at[static WEB_PARTS_MAX], size_t count) {
    for (size_t i = 0; i < WEB_PARTS_MAX; i++) {
        char *part = visit->path + (i < count ? at[i] : strlen(visit->path));
        visit->part[i] = part;
    }
    for (size_t i = 0; i < count; i++) {
        size_t end = at[i] + part_len(visit->path + at[i]);
        visit->path[end] = '\0';
    }
}

bool web_path_match(struct web_visit *visit, const char *pattern) {
    const char *path = visit->request->path, *rest = path;
    size_t at[WEB_PARTS_MAX], count = 0;
    for (;;) {
        size_t wanted = part_len(pattern), len = part_len(rest);
        if (*pattern == '{') {
            if (count == WEB_PARTS_MAX)
                return false;
            at[count++] = (size_t)(rest - path);
        } else if (wanted != len || strncmp(pattern, rest, len) != 0) {
            return false;
        }
        pattern += wanted;
        rest += len;
        if (*pattern != *rest)
            return false;
        if (!*rest)
            break;
        pattern++;
        rest++;
    }
    if (str_copy(visit->path, sizeof(visit->path), path))
        return false;
    cut_parts(visit, at, count);
    return true;
}
