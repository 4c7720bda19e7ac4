#include "sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/seal.h"
#include "sallyport/base/str.h"

enum { LINKS_MAX = 8 }; /* that lead to each other */

/* What our libraries read whenever they like: who is asked for names, whom to trust, time zones, libraries that are
 * loaded late. What a system does not have is left out. */
static const char *const system_paths[] = {
    "/etc",
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/gnu/store",
    "/var/lib/ca-certificates",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/dev/urandom",
    "/dev/random",
    "/proc/self",
};

/* From "a/b" to "a", from "/a" to "/", from "a" to ".". False: there is nothing above. */
static bool cut_last(char *path) {
    char *slash = strrchr(path, '/');
    if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0)
        return false;
    if (slash)
        slash[slash == path ? 1 : 0] = '\0';
    else
        memcpy(path, ".", 2);
    return true;
}

/* The folder that a file or folder lies in, since a new one may take its place. Never the root, which is everything:
 * there only a file itself. */
static int allow_place_of(struct seal *seal, const char *path) {
    char folder[PATH_MAX];
    struct stat about;
    int rc = str_copy(folder, sizeof folder, path);
    if (rc < 0)
        return rc;
    if (cut_last(folder) && strcmp(folder, "/") != 0)
        return seal_allow(seal, folder, SEAL_READ);
    return stat(path, &about) == 0 && S_ISREG(about.st_mode) ? seal_allow(seal, path, SEAL_READ) : 0;
}

static int allow_links(struct seal *seal, const char *path, unsigned depth);

/* One link on the way: it may lead elsewhere tomorrow, most likely to a neighbour of what it leads to today. */
static int allow_link(struct seal *seal, const char *link, const char *target, unsigned depth) {
    char next[PATH_MAX], folder[PATH_MAX];
    int rc = allow_place_of(seal, link);
    if (rc == 0)
        rc = str_copy(folder, sizeof folder, link);
    if (rc == 0 && target[0] != '/' && cut_last(folder))
        rc = os_path(next, sizeof next, folder, target);
    else if (rc == 0)
        rc = str_copy(next, sizeof next, target);
    if (rc == 0)
        rc = allow_links(seal, next, depth + 1);
    return rc == 0 && realpath(next, folder) ? allow_place_of(seal, folder) : rc;
}

/* All symbolic links in a path: certbot's live/NAME/cert.pem leads to archive/NAME/certN.pem, others have a folder
 * `current` that leads to the latest one. */
static int allow_links(struct seal *seal, const char *path, unsigned depth) {
    char part[PATH_MAX], target[PATH_MAX];
    int rc = str_copy(part, sizeof part, path);
    for (size_t at = 1; rc == 0 && depth < LINKS_MAX && path[0] && path[at - 1]; at++) {
        if (path[at] != '/' && path[at] != '\0')
            continue;
        part[at] = '\0';
        ssize_t n = readlink(part, target, sizeof target - 1);
        if (n > 0) {
            target[n] = '\0';
            rc = allow_link(seal, part, target, depth);
        }
        part[at] = path[at];
    }
    return rc;
}

static bool lies_in(const char *path, const char *folder) {
    char real[PATH_MAX], real_folder[PATH_MAX];
    if (!realpath(path, real) || !realpath(folder, real_folder))
        return false;
    size_t n = strlen(real_folder);
    return strncmp(real, real_folder, n) == 0 && real[n] == '/';
}

/* A file that is read again later; NULL: none was given. One in the state folder is allowed with it. */
static int allow_file(struct seal *seal, const char *path, const char *state) {
    if (!path || lies_in(path, state))
        return 0;
    int rc = allow_place_of(seal, path);
    return rc < 0 ? rc : allow_links(seal, path, 0);
}

/* A folder that may be made only later: then what is above it. */
static int allow_webroot(struct seal *seal, const char *path) {
    char folder[PATH_MAX];
    int rc = str_copy(folder, sizeof folder, path);
    if (rc < 0)
        return rc;
    while ((rc = seal_allow(seal, folder, SEAL_READ)) == SP_ENOENT) {
        if (!cut_last(folder) || strcmp(folder, "/") == 0) {
            log_warn("acme_webroot %s is not there: restart the relay when it is", path);
            return 0;
        }
    }
    return rc;
}

/* Where prices.ini lies when nothing was said, and may be put later. */
static int allow_usual_prices(struct seal *seal) {
    char path[PATH_MAX];
    int rc = os_default_config(path, sizeof path, "relay");
    if (rc == 0)
        rc = allow_place_of(seal, path);
    return rc == SP_ENOENT ? 0 : rc;
}

static int allow_all(struct seal *seal, const struct relay *relay) {
    const struct relay_config *config = relay->config;
    for (size_t i = 0; i < sizeof system_paths / sizeof system_paths[0]; i++) {
        int rc = seal_allow(seal, system_paths[i], SEAL_READ);
        if (rc < 0 && rc != SP_ENOENT)
            log_debug("sandbox: %s: %s", system_paths[i], strerror(errno));
    }
    (void)allow_file(seal, "/etc/resolv.conf", relay->state);
    int rc = seal_allow(seal, relay->state, SEAL_WRITE);
    if (rc == 0)
        rc = seal_allow(seal, "/dev/null", SEAL_WRITE);
    if (rc == 0)
        rc = allow_file(seal, config->certificate, relay->state);
    if (rc == 0)
        rc = allow_file(seal, config->certificate_key, relay->state);
    if (rc == 0)
        rc = config->prices ? allow_file(seal, config->prices, relay->state) : allow_usual_prices(seal);
    if (rc == 0 && config->acme_webroot)
        rc = allow_webroot(seal, config->acme_webroot);
    return rc;
}

void sealed_apply(struct relay *relay) {
    struct seal seal;
    if (!relay->config->sandbox) {
        log_info("sandbox = off: the relay can open whatever its user can");
        return;
    }
    int rc = seal_init(&seal);
    if (rc == SP_ENOENT) {
        log_info("not sealed: this kernel has no Landlock, or does not let the relay use it (%s)", strerror(errno));
        return;
    }
    /* The rule is about a folder that the kernel may forget, and make another one for, when nobody holds it. */
    relay->proc_fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (rc == 0)
        rc = allow_all(&seal, relay);
    if (rc == 0)
        rc = seal_apply(&seal);
    if (rc == 0)
        log_info("sealed: writes beneath %s only, starts no programs (Landlock %d)", relay->state, seal.version);
    else
        log_warn("not sealed: %s", rc == SP_ESYS ? strerror(errno) : err_text(rc));
    seal_fini(&seal);
}

const char *sealed_hint(const char *path) {
    int saved = errno;
    bool denied = seal_denies(path);
    errno = saved;
    return denied ? " (the relay has sealed itself off from there: restart it, and it looks anew where its files are)"
                  : "";
}
