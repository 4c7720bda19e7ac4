/* A folder that stands for the root of a machine: /proc, /etc and /home as a test wants them. */
#ifndef SALLYPORT_TESTS_PROBE_FIXTURE_H
#define SALLYPORT_TESTS_PROBE_FIXTURE_H

#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FIXTURE_PATH 512

static inline void fixture_new(char root[static FIXTURE_PATH]) {
    (void)snprintf(root, FIXTURE_PATH, "/tmp/sallyport-test.XXXXXX");
    assert_non_null(mkdtemp(root));
}

static inline int fixture_unlink(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void fixture_remove(const char *root) {
    assert_int_equal(nftw(root, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* ROOT + path in `to`, with the folders above it. */
static inline void fixture_path(const char *root, const char *path, char to[static FIXTURE_PATH]) {
    int n = snprintf(to, FIXTURE_PATH, "%s%s", root, path);
    assert_in_range(n, 1, FIXTURE_PATH - 1);
    for (char *slash = strchr(to + strlen(root) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(to, 0755);
        *slash = '/';
    }
}

static inline void fixture_write(const char *root, const char *path, const char *text) {
    char full[FIXTURE_PATH];
    fixture_path(root, path, full);
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static inline void fixture_link(const char *root, const char *path, const char *target) {
    char full[FIXTURE_PATH];
    fixture_path(root, path, full);
    assert_int_equal(symlink(target, full), 0);
}

/* A process: its name, parent and command line, and one open socket. */
static inline void fixture_process(const char *root, int pid, const char *name, int parent, const char *command,
                                   unsigned long inode) {
    char path[FIXTURE_PATH], text[FIXTURE_PATH];
    (void)snprintf(path, sizeof path, "/proc/%d/comm", pid);
    (void)snprintf(text, sizeof text, "%s\n", name);
    fixture_write(root, path, text);
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    (void)snprintf(text, sizeof text, "%d (%s) S %d 1 1 0 -1 4194560 0 0\n", pid, name, parent);
    fixture_write(root, path, text);
    (void)snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    fixture_write(root, path, command);
    (void)snprintf(path, sizeof path, "/proc/%d/fd/0", pid);
    fixture_link(root, path, "/dev/null");
    (void)snprintf(path, sizeof path, "/proc/%d/fd/3", pid);
    (void)snprintf(text, sizeof text, "socket:[%lu]", inode);
    fixture_link(root, path, text);
}

#define FIXTURE_TCP_HEAD \
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode           " \
    "                                          \n"

/* A row of /proc/net/tcp for 127.0.0.1:port, appended to text. */
static inline void fixture_row(char *text, size_t size, unsigned port, unsigned uid, unsigned long inode) {
    size_t len = strlen(text);
    uint8_t loopback[4] = {127, 0, 0, 1};
    uint32_t word;
    memcpy(&word, loopback, sizeof word);
    int n = snprintf(text + len, size - len,
                     "   0: %08X:%04X 00000000:0000 0A 00000000:00000000 00:00000000 00000000 %5u        0 %lu 1 "
                     "0000000000000000 100 0 0 10 0\n",
                     word, port, uid, inode);
    assert_in_range(n, 1, size - len - 1);
}

#endif
