#include "kernel_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

static int make_path(char to[static KERNEL_PATH_SIZE], const char *root, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static int make_path(char to[static KERNEL_PATH_SIZE], const char *root, const char *format, va_list args) {
    int rc = str_copy(to, KERNEL_PATH_SIZE, root);
    size_t room = rc == 0 ? KERNEL_PATH_SIZE - strlen(root) : 0;
    if (rc != 0)
        return rc;
    int n = vsnprintf(to + strlen(root), room, format, args);
    return n < 0 || (size_t)n >= room ? SP_ETOOBIG : 0;
}

static int read_text(const char *path, char *to, size_t size) {
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return SP_ESYS;
    /* The kernel may hand out a file in several parts. */
    while (len < size - 1) {
        ssize_t n = read(fd, to + len, size - 1 - len);
        if (n < 0 && len == 0) {
            (void)close(fd);
            return SP_ESYS;
        }
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    (void)close(fd);
    if (len > 0 && to[len - 1] == '\n')
        len--;
    to[len] = '\0';
    return 0;
}

int kernel_text(char *to, size_t size, const char *root, const char *format, ...) {
    char path[KERNEL_PATH_SIZE];
    va_list args;
    va_start(args, format);
    int rc = make_path(path, root, format, args);
    va_end(args);
    return rc != 0 ? rc : read_text(path, to, size);
}

bool kernel_integer(int64_t *out, const char *root, const char *format, ...) {
    char path[KERNEL_PATH_SIZE], text[32] = "";
    uint64_t value;
    va_list args;
    va_start(args, format);
    int rc = make_path(path, root, format, args);
    va_end(args);
    if (rc != 0 || read_text(path, text, sizeof text) != 0)
        return false;
    bool is_negative = text[0] == '-';
    if (str_u64(text + is_negative, 0, INT64_MAX, &value) != 0)
        return false;
    *out = is_negative ? -(int64_t)value : (int64_t)value;
    return true;
}

bool kernel_has(const char *root, const char *format, ...) {
    char path[KERNEL_PATH_SIZE];
    va_list args;
    va_start(args, format);
    int rc = make_path(path, root, format, args);
    va_end(args);
    return rc == 0 && access(path, F_OK) == 0;
}

double kernel_decimal(const char **at) {
    size_t digits = strspn(*at, "0123456789");
    if (digits == 0 || digits > 12)
        return NAN;
    double value = 0, scale = 1;
    const char *p = *at;
    for (; *p >= '0' && *p <= '9'; p++)
        value = value * 10 + (*p - '0');
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++)
            value += (*p - '0') * (scale /= 10);
    *at = p + strspn(p, " ");
    return value;
}

static int compare_names(const void *a, const void *b) {
    return strverscmp(a, b);
}

static int list_names(DIR *dir, struct kernel_names *names) {
    size_t cap = 0;
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] == '.' || strlen(entry->d_name) >= KERNEL_NAME_SIZE)
            continue;
        if (names->count == KERNEL_NAMES_MAX)
            break;
        if (names->count == cap) {
            cap = cap == 0 ? 16 : cap * 2;
            char(*items)[KERNEL_NAME_SIZE] = reallocarray(names->items, cap, sizeof *items);
            if (items == NULL)
                return SP_ENOMEM;
            names->items = items;
        }
        memcpy(names->items[names->count++], entry->d_name, strlen(entry->d_name) + 1);
    }
    if (names->count > 0)
        qsort(names->items, names->count, sizeof *names->items, compare_names);
    return 0;
}

int kernel_list(struct kernel_names *out, const char *root, const char *format, ...) {
    char path[KERNEL_PATH_SIZE];
    struct kernel_names names = {.count = 0};
    va_list args;
    va_start(args, format);
    int rc = make_path(path, root, format, args);
    va_end(args);
    if (rc != 0)
        return rc;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return SP_ESYS;
    rc = list_names(dir, &names);
    (void)closedir(dir);
    if (rc == 0)
        *out = names;
    else
        kernel_names_fini(&names);
    return rc;
}

void kernel_names_fini(struct kernel_names *names) {
    free(names->items);
    *names = (struct kernel_names){.count = 0};
}
