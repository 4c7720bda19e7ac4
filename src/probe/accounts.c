#include "accounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

#define PASSWD_MAX (1024UL * 1024)
#define PATH_SIZE 512

/* "ann:x:1000:1000:...": is it that account's? Then its name in `to`. */
static bool parse_line(const char *line, size_t len, uid_t uid, char to[static ACCOUNT_NAME_SIZE]) {
    const char *name_end = memchr(line, ':', len);
    const char *end = line + len;
    const char *password_end = name_end == NULL ? NULL : memchr(name_end + 1, ':', (size_t)(end - name_end - 1));
    if (password_end == NULL)
        return false;
    const char *figures = password_end + 1;
    const char *figures_end = memchr(figures, ':', (size_t)(end - figures));
    char number[16];
    uint64_t value;
    size_t figures_len = figures_end == NULL ? 0 : (size_t)(figures_end - figures);
    if (figures_len == 0 || figures_len >= sizeof number)
        return false;
    memcpy(number, figures, figures_len);
    number[figures_len] = '\0';
    size_t name_len = (size_t)(name_end - line);
    if (str_u64(number, 0, UINT32_MAX, &value) != 0 || value != uid || name_len == 0 || name_len >= ACCOUNT_NAME_SIZE ||
        !str_is_clean(line, name_len))
        return false;
    memcpy(to, line, name_len);
    to[name_len] = '\0';
    return true;
}

void account_parse(const char *text, size_t len, uid_t uid, char to[static ACCOUNT_NAME_SIZE]) {
    for (const char *line = text, *end = text + len; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((newline == NULL ? end : newline) - line);
        if (parse_line(line, n, uid, to))
            return;
        line += n + 1;
    }
    (void)snprintf(to, ACCOUNT_NAME_SIZE, "%lu", (unsigned long)uid);
}

void account_name(const char *root, uid_t uid, char to[static ACCOUNT_NAME_SIZE]) {
    char path[PATH_SIZE];
    struct buf content;
    buf_init(&content);
    int n = snprintf(path, sizeof path, "%s/etc/passwd", root);
    if (n > 0 && (size_t)n < sizeof path)
        (void)os_read_file(path, PASSWD_MAX, &content);
    const char *text = (const char *)buf_head(&content);
    account_parse(text == NULL ? "" : text, buf_len(&content), uid, to);
    buf_fini(&content);
}
