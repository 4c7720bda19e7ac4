/* The small files in which the kernel tells things, and the numbers in them. */
#ifndef SALLYPORT_PROBE_KERNEL_FILE_H
#define SALLYPORT_PROBE_KERNEL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is read here is shorter, or only its beginning is of use. */
#define KERNEL_TEXT_SIZE 8192
#define KERNEL_PATH_SIZE 512

/* The first size - 1 bytes of the file root + FORMAT, terminated, without a newline at the end. 0, SP_ESYS, or
 * SP_ETOOBIG for the path; untouched on failure. */
int kernel_text(char *to, size_t size, const char *root, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The integer that the file holds, which may be negative. False when there is none. */
bool kernel_integer(int64_t *out, const char *root, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Is there such a file or folder? */
bool kernel_has(const char *root, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A number with a decimal point, and moves on behind it and the blanks there; NAN when there is none. The kernel writes
 * no locale. */
double kernel_decimal(const char **at);

/* The names in a folder, those with digits in the order of their numbers; longer and further ones are left out. */
#define KERNEL_NAME_SIZE 64
#define KERNEL_NAMES_MAX 512
struct kernel_names {
    char (*items)[KERNEL_NAME_SIZE]; /* owned */
    size_t count;
};
/* 0, SP_ESYS, SP_ETOOBIG (the path), SP_ENOMEM; untouched on failure. The caller frees what is in it. */
int kernel_list(struct kernel_names *out, const char *root, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void kernel_names_fini(struct kernel_names *names);

#endif
