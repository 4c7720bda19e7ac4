#include "sallyport/base/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sallyport/base/err.h"

/* What a kernel may know is more than what the headers of the system know that we are built on. */
enum {
    FILES_OF_1 = 13, /* so many rights over files has version 1 */
    SEAL_TRUNCATE = 1 << 14,
    SEAL_BIND_TCP = 1 << 0,
    SEAL_NO_ABSTRACT_SOCKETS = 1 << 0,
    SEAL_NO_SIGNALS = 1 << 1,
};

/* What can be denied. Older kernels want only the members that they know. */
struct rules {
    uint64_t files;    /* version 1 */
    uint64_t network;  /* 4 */
    uint64_t confined; /* 6 */
};

enum {
    READ_FILE = LANDLOCK_ACCESS_FS_READ_FILE,
    READ_ALL = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
    WRITE_FILE = READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | SEAL_TRUNCATE,
    WRITE_ALL = WRITE_FILE | READ_ALL | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE,
};

static uint64_t files_of(int version) {
    unsigned rights = FILES_OF_1;
    rights += version >= 2; /* moving between folders */
    rights += version >= 3; /* cutting short */
    rights += version >= 5; /* ioctl of devices */
    return (UINT64_C(1) << rights) - 1;
}

int seal_init(struct seal *seal) {
    *seal = (struct seal){.fd = -1};
    long version = syscall(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return SP_ENOENT;
    struct rules rules = {.files = files_of((int)version)};
    size_t size = offsetof(struct rules, network);
    if (version >= 4) {
        rules.network = SEAL_BIND_TCP;
        size = offsetof(struct rules, confined);
    }
    if (version >= 6) {
        rules.confined = SEAL_NO_ABSTRACT_SOCKETS | SEAL_NO_SIGNALS;
        size = sizeof rules;
    }
    long fd = syscall(__NR_landlock_create_ruleset, &rules, size, 0);
    if (fd < 0)
        return SP_ESYS;
    *seal = (struct seal){.fd = (int)fd, .version = (int)version, .files = rules.files};
    return 0;
}

void seal_fini(struct seal *seal) {
    if (seal->fd >= 0)
        (void)close(seal->fd);
    seal->fd = -1;
}

int seal_allow(struct seal *seal, const char *path, enum seal_right right) {
    struct stat about;
    int rc = SP_ESYS, fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? SP_ENOENT : SP_ESYS;
    if (fstat(fd, &about) < 0)
        goto out;
    uint64_t rights = right == SEAL_WRITE ? WRITE_ALL : READ_ALL;
    if (!S_ISDIR(about.st_mode))
        rights &= WRITE_FILE;
    struct landlock_path_beneath_attr rule = {.allowed_access = rights & seal->files, .parent_fd = fd};
    if (syscall(__NR_landlock_add_rule, seal->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
        rc = 0;
out:;
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return rc;
}

int seal_apply(const struct seal *seal) {
    /* The kernel wants it first, so that no program with more rights can be started from within. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return SP_ESYS;
    return syscall(__NR_landlock_restrict_self, seal->fd, 0) == 0 ? 0 : SP_ESYS;
}

bool seal_denies(const char *path) {
    if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0) /* which no seal is asked about */
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == EACCES;
    (void)close(fd);
    return false;
}
