#include "cgroup.h"

#include <string.h>

#define ID_LEN (CONTAINER_ID_SIZE - 1)

static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* "libpod-conmon-ID.scope", "crio-conmon-ID.scope" */
static bool is_monitor(const char *line, size_t before) {
    static const char mark[] = "conmon-";
    size_t n = sizeof mark - 1;
    return before >= n && memcmp(line + before - n, mark, n) == 0;
}

static bool find_in_line(const char *line, size_t len, char to[static CONTAINER_ID_SIZE]) {
    size_t run = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && is_hex(line[i])) {
            run++;
            continue;
        }
        size_t start = i - run;
        bool is_whole = start == 0 || (line[start - 1] != '_' && (line[start - 1] < 'a' || line[start - 1] > 'z'));
        if (run == ID_LEN && is_whole && !is_monitor(line, start)) {
            memcpy(to, line + start, ID_LEN);
            to[ID_LEN] = '\0';
            return true;
        }
        run = 0;
    }
    return false;
}

bool cgroup_container(const char *text, size_t len, char to[static CONTAINER_ID_SIZE]) {
    for (const char *line = text, *end = text + len; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((newline == NULL ? end : newline) - line);
        if (find_in_line(line, n, to))
            return true;
        line += n + 1;
    }
    return false;
}
