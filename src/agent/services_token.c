#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/base/secret.h"
#include "services_local.h"

/* Whoever can read it can run programs as the Jupyter's user, so it is held to what ssh asks of a private key. */
static int check_file(int fd, const char *path, struct why *why) {
    struct stat info;
    if (fstat(fd, &info) != 0) {
        why_set(why, "cannot look at %s: %s", path, err_text(SP_ESYS));
        return SP_ESYS;
    }
    if (!S_ISREG(info.st_mode)) {
        why_set(why, "%s is no ordinary file", path);
        return SP_EFORMAT;
    }
    if ((info.st_uid != 0 && info.st_uid != geteuid()) || (info.st_mode & 077) != 0) {
        why_set(why, "%s must belong to root or to the agent's user, and nobody else may read it: chmod 600", path);
        return SP_EDENIED;
    }
    return 0;
}

int service_token_read(const char *path, struct service_token *out, struct why *why) {
    char text[sizeof out->text + 2] = ""; /* with its line end, and one byte to see that it is not longer */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        why_set(why, "cannot open %s: %s", path, err_text(SP_ESYS));
        return SP_ESYS;
    }
    int rc = check_file(fd, path, why);
    if (rc != 0)
        goto out;
    ssize_t len = read(fd, text, sizeof text - 1);
    if (len < 0) {
        why_set(why, "cannot read %s: %s", path, err_text(SP_ESYS));
        rc = SP_ESYS;
        goto out;
    }
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        text[--len] = '\0';
    if (strlen(text) != (size_t)len || !service_is_token(text)) {
        why_set(why, "%s should hold a token and nothing else: one line of at most %d visible ASCII characters", path,
                (int)sizeof out->text - 1);
        rc = SP_EFORMAT;
        goto out;
    }
    memcpy(out->text, text, (size_t)len + 1);
out:
    secret_wipe(text, sizeof text);
    close(fd);
    return rc;
}
