#include "sallyport/base/os.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sallyport/base/str.h"

/* close() that keeps errno, for the ways out of a failure. */
static void os_close(int fd) {
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
}

static int os_read_all(int fd, size_t max, struct buf *out) {
    struct stat st;
    /* The size is a hint only: files in /proc have none, others grow. */
    size_t chunk = fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size < INT_MAX ? (size_t)st.st_size + 1 : 4096;
    size_t total = 0;
    for (;;) {
        uint8_t *tail;
        if (chunk > max - total + 1)
            chunk = max - total + 1;
        int rc = buf_reserve(out, chunk, &tail);
        if (rc)
            return rc;
        ssize_t n = read(fd, tail, chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return SP_ESYS;
        if (n == 0)
            return 0;
        total += (size_t)n;
        if (total > max)
            return SP_ETOOBIG;
        buf_commit(out, (size_t)n);
    }
}

int os_read_file(const char *path, size_t max, struct buf *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return SP_ESYS;
    size_t before = out->len;
    int rc = os_read_all(fd, max < SSIZE_MAX ? max : SSIZE_MAX - 1, out);
    if (rc)
        out->len = before;
    os_close(fd);
    return rc;
}

static int os_write_all(int fd, const uint8_t *bytes, size_t n) {
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return SP_ESYS;
        bytes += done;
        n -= (size_t)done;
    }
    return 0;
}

/* The new name is safe from a power cut only when the folder itself is on the disk. */
static int os_sync_parent(const char *path) {
    char dir[PATH_MAX];
    int rc = str_copy(dir, sizeof(dir), path);
    if (rc)
        return rc;
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir ? 1 : 0] = '\0';
    int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return SP_ESYS;
    /* Some network and FUSE file systems cannot sync a folder: EINVAL. */
    rc = fsync(fd) == 0 || errno == EINVAL ? 0 : SP_ESYS;
    os_close(fd);
    return rc;
}

int os_write_file(const char *path, const void *bytes, size_t n, mode_t mode) {
    char temporary[PATH_MAX];
    int len = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    if (len < 0 || (size_t)len >= sizeof(temporary))
        return SP_ETOOBIG;
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return SP_ESYS;
    int rc = os_write_all(fd, bytes, n);
    if (rc == 0 && (fchmod(fd, mode) != 0 || fsync(fd) != 0 || rename(temporary, path) != 0))
        rc = SP_ESYS;
    if (rc) {
        int saved = errno;
        unlink(temporary);
        errno = saved;
    } else {
        rc = os_sync_parent(path);
    }
    os_close(fd);
    return rc;
}

int os_path(char *to, size_t size, const char *dir, const char *name) {
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", dir, name);
    return n < 0 || (size_t)n >= sizeof(path) ? SP_ETOOBIG : str_copy(to, size, path);
}

/* DIR/sallyport{-,/}ROLE{,.ini} below the folder that the environment names, or its usual place in the home. */
static int os_xdg(char *to, size_t size, const char *variable, const char *usual, const char *name) {
    char dir[PATH_MAX];
    const char *base = getenv(variable);
    if (base && base[0] == '/')
        return os_path(to, size, base, name);
    const char *home = getenv("HOME");
    if (!home || home[0] != '/')
        return SP_ENOENT;
    int rc = os_path(dir, sizeof(dir), home, usual);
    return rc ? rc : os_path(to, size, dir, name);
}

int os_default_state(char *to, size_t size, const char *role) {
    char name[64];
    const char *given = getenv("STATE_DIRECTORY");
    if (given && given[0] == '/') {
        char first[PATH_MAX];
        int rc = str_copy(first, sizeof(first), given);
        if (rc)
            return rc;
        first[strcspn(first, ":")] = '\0';
        return str_copy(to, size, first);
    }
    int n = snprintf(name, sizeof(name), "sallyport-%s", role);
    if (n < 0 || (size_t)n >= sizeof(name))
        return SP_ETOOBIG;
    if (geteuid() == 0)
        return os_path(to, size, "/var/lib", name);
    return os_xdg(to, size, "XDG_STATE_HOME", ".local/state", name);
}

int os_default_config(char *to, size_t size, const char *role) {
    char name[64];
    int n = snprintf(name, sizeof(name), "sallyport/%s.ini", role);
    if (n < 0 || (size_t)n >= sizeof(name))
        return SP_ETOOBIG;
    if (geteuid() == 0)
        return os_path(to, size, "/etc", name);
    return os_xdg(to, size, "XDG_CONFIG_HOME", ".config", name);
}

int64_t os_realtime_s(void) {
    return (int64_t)time(NULL);
}

static uint64_t os_clock_ms(clockid_t clock) {
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t os_monotonic_ms(void) {
    return os_clock_ms(CLOCK_MONOTONIC);
}

uint64_t os_boottime_ms(void) {
#ifdef CLOCK_BOOTTIME
    return os_clock_ms(CLOCK_BOOTTIME);
#else
    return os_clock_ms(CLOCK_MONOTONIC); /* beyond Linux that one goes on */
#endif
}

unsigned os_raise_nofile(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        soft = limit.rlim_max;
    return soft > UINT_MAX ? UINT_MAX : (unsigned)soft;
}

int os_socket_pair(int fds[static 2]) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return SP_ESYS;
    for (int i = 0; i < 2; i++) {
        if (fcntl(pair[i], F_SETFD, FD_CLOEXEC) == 0 && os_nonblocking(pair[i]) == 0)
            continue;
        os_close(pair[0]);
        os_close(pair[1]);
        return SP_ESYS;
    }
    fds[0] = pair[0];
    fds[1] = pair[1];
    return 0;
}

int os_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return SP_ESYS;
    return 0;
}

void os_address_text(const struct sockaddr_storage *address, char to[static INET6_ADDRSTRLEN]) {
    const void *bytes = NULL;
    if (address->ss_family == AF_INET)
        bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    else if (address->ss_family == AF_INET6)
        bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (!bytes || !inet_ntop(address->ss_family, bytes, to, INET6_ADDRSTRLEN))
        (void)snprintf(to, INET6_ADDRSTRLEN, "unknown");
}
