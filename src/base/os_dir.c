/* The state folder: ours alone, and one daemon at a time in it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

static int os_make_parents(const char *path, struct why *why) {
    char part[PATH_MAX];
    if (str_copy(part, sizeof(part), path)) {
        why_set(why, "the path of the state folder is too long");
        return SP_EINVAL;
    }
    for (char *at = part + 1; at[-1]; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char cut = *at;
        *at = '\0';
        struct stat st;
        if (mkdir(part, 0700) != 0 && (errno != EEXIST || stat(part, &st) != 0)) {
            why_set(why, "cannot make the folder %s: %s. Make it yourself, or name another with --state", part,
                    strerror(errno));
            return errno == ENOTDIR ? SP_EINVAL : SP_ESYS;
        }
        *at = cut;
    }
    return 0;
}

int os_state_dir(const char *path, struct why *why) {
    struct stat st;
    if (!path[0]) {
        why_set(why, "the path of the state folder is empty: name one with --state");
        return SP_EINVAL;
    }
    if (stat(path, &st) != 0) {
        int rc = os_make_parents(path, why);
        if (rc)
            return rc;
        if (stat(path, &st) != 0) {
            why_set(why, "cannot look at the folder %s: %s", path, strerror(errno));
            return SP_ESYS;
        }
    }
    if (!S_ISDIR(st.st_mode)) {
        why_set(why, "%s is not a folder: move it away, or name another place with --state", path);
        return SP_EINVAL;
    }
    if (st.st_uid != geteuid()) {
        why_set(why,
                "the folder %s belongs to user id %u, and this runs as %u: name another with --state, or 'chown %u %s'",
                path, (unsigned)st.st_uid, (unsigned)geteuid(), (unsigned)geteuid(), path);
        return SP_EDENIED;
    }
    if (st.st_mode & 077) {
        why_set(why, "the folder %s is open to others (mode %04o), and keys live in it: 'chmod 700 %s'", path,
                (unsigned)(st.st_mode & 07777), path);
        return SP_EDENIED;
    }
    if (faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
        why_set(why, "cannot write into the folder %s: %s. Try 'chmod 700 %s', or name another with --state", path,
                strerror(errno), path);
        return errno == EACCES ? SP_EDENIED : SP_ESYS;
    }
    return 0;
}

/* Who wrote its process id into the lock file; "?" when that cannot be read. */
static void os_lock_holder(int fd, char *to, size_t size) {
    ssize_t n = pread(fd, to, size - 1, 0);
    to[n > 0 ? n : 0] = '\0';
    to[strspn(to, "0123456789")] = '\0';
    if (!to[0])
        (void)str_copy(to, size, "?");
}

int os_lock_dir(const char *path, int *fd, struct why *why) {
    char name[PATH_MAX], pid[24];
    int rc = os_path(name, sizeof(name), path, "lock");
    if (rc) {
        why_set(why, "the path of the state folder is too long");
        return rc;
    }
    int lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0) {
        why_set(why, "cannot open %s: %s", name, strerror(errno));
        return SP_ESYS;
    }
    rc = SP_ESYS;
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            os_lock_holder(lock, pid, sizeof(pid));
            why_set(why,
                    "the folder %s is in use by process %s: stop that one first, or name another folder with --state",
                    path, pid);
            rc = SP_EBUSY;
        } else {
            why_set(why, "cannot lock %s: %s", name, strerror(errno));
        }
        goto out;
    }
    int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(lock, 0) != 0 || pwrite(lock, pid, (size_t)n, 0) != n) {
        why_set(why, "cannot write %s: %s", name, strerror(errno));
        goto out;
    }
    *fd = lock;
    return 0;
out:;
    int saved = errno;
    close(lock);
    errno = saved;
    return rc;
}
