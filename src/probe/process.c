#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

#define PROCESS_PATH_SIZE 512

static bool process_path(char to[static PROCESS_PATH_SIZE], const char *root, pid_t pid, const char *leaf) {
    int n = snprintf(to, PROCESS_PATH_SIZE, "%s/proc/%ld/%s", root, (long)pid, leaf);
    return n > 0 && n < PROCESS_PATH_SIZE;
}

/* The first bytes of a file of /proc, terminated; how many, or 0. */
static size_t read_start(const char *path, char *to, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, to, size - 1);
    close(fd);
    if (n <= 0)
        return 0;
    to[n] = '\0';
    return (size_t)n;
}

int process_each(const char *root, bool (*each)(void *ctx, pid_t pid), void *ctx) {
    char path[PROCESS_PATH_SIZE];
    int n = snprintf(path, sizeof path, "%s/proc", root);
    if (n < 0 || (size_t)n >= sizeof path)
        return SP_ETOOBIG;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return SP_ESYS;
    bool more = true;
    for (struct dirent *entry = readdir(dir); entry != NULL && more; entry = readdir(dir)) {
        uint64_t pid;
        if (str_u64(entry->d_name, 1, INT32_MAX, &pid) == 0)
            more = each(ctx, (pid_t)pid);
    }
    closedir(dir);
    return 0;
}

bool process_name(const char *root, pid_t pid, char to[static PROCESS_NAME_SIZE]) {
    char path[PROCESS_PATH_SIZE], name[64];
    if (!process_path(path, root, pid, "comm") || read_start(path, name, sizeof name) == 0)
        return false;
    name[strcspn(name, "\n")] = '\0';
    return str_copy(to, PROCESS_NAME_SIZE, name) == 0;
}

pid_t process_parent(const char *root, pid_t pid) {
    char path[PROCESS_PATH_SIZE], text[512];
    long parent = 0;
    if (!process_path(path, root, pid, "stat") || read_start(path, text, sizeof text) == 0)
        return 0;
    /* "PID (NAME) STATE PARENT ...", where NAME may hold anything, also brackets */
    const char *end = strrchr(text, ')');
    char number[24];
    if (end == NULL || strlen(end) < 5)
        return 0;
    size_t digits = strspn(end + 4, "0123456789");
    uint64_t value;
    if (digits == 0 || digits >= sizeof number)
        return 0;
    memcpy(number, end + 4, digits);
    number[digits] = '\0';
    if (str_u64(number, 0, INT32_MAX, &value) == 0)
        parent = (long)value;
    return (pid_t)parent;
}

bool process_command(const char *root, pid_t pid, char *to, size_t size) {
    char path[PROCESS_PATH_SIZE];
    if (!process_path(path, root, pid, "cmdline"))
        return false;
    size_t n = read_start(path, to, size);
    for (size_t i = 0; i + 1 < n; i++)
        if (to[i] == '\0')
            to[i] = ' ';
    return n > 0;
}

bool process_exists(const char *root, pid_t pid) {
    char path[PROCESS_PATH_SIZE];
    return process_path(path, root, pid, "") && access(path, F_OK) == 0;
}

void process_each_socket(const char *root, pid_t pid, bool (*each)(void *ctx, uint64_t inode), void *ctx) {
    char path[PROCESS_PATH_SIZE];
    if (!process_path(path, root, pid, "fd"))
        return;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return;
    bool more = true;
    for (struct dirent *entry = readdir(dir); entry != NULL && more; entry = readdir(dir)) {
        char target[64];
        uint64_t inode;
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        if (n <= 9)
            continue;
        target[n] = '\0';
        /* "socket:[12345]" */
        if (!str_starts(target, "socket:[") || target[n - 1] != ']')
            continue;
        target[n - 1] = '\0';
        if (str_u64(target + 8, 1, UINT64_MAX, &inode) == 0)
            more = each(ctx, inode);
    }
    closedir(dir);
}

struct holder {
    const char *root;
    uint64_t inode;
    pid_t pid; /* being looked at */
    bool found;
};

static bool holds_socket(void *ctx, uint64_t inode) {
    struct holder *holder = ctx;
    holder->found = inode == holder->inode;
    return !holder->found;
}

static bool holds(void *ctx, pid_t pid) {
    struct holder *holder = ctx;
    holder->pid = pid;
    process_each_socket(holder->root, pid, holds_socket, holder);
    return !holder->found;
}

bool process_of_socket(const char *root, uint64_t inode, char to[static PROCESS_NAME_SIZE]) {
    struct holder holder = {.root = root, .inode = inode};
    return process_each(root, holds, &holder) == 0 && holder.found && process_name(root, holder.pid, to);
}
