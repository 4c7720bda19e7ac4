#include "statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "sallyport/base/os.h"
#include "sallyport/domain/jsonline.h"

enum { FILE_MAX = 1 << 20, DEPTH = 8 };

int statefile_read(const char *state, const char *name, json_t **out) {
    char path[4200];
    struct buf text;
    json_t *object = NULL;
    buf_init(&text);
    int rc = os_path(path, sizeof path, state, name);
    if (!rc)
        rc = os_read_file(path, FILE_MAX, &text);
    if (rc == SP_ESYS && errno == ENOENT)
        rc = SP_EFORMAT;
    if (!rc)
        rc = jsonline_read((const char *)buf_head(&text), buf_len(&text), DEPTH, &object, NULL);
    if (rc == SP_EFORMAT || rc == SP_ETOOBIG) {
        object = json_object();
        rc = object ? 0 : SP_ENOMEM;
    }
    buf_wipe(&text);
    if (!rc)
        *out = object;
    return rc;
}

int statefile_write(const char *state, const char *name, const json_t *object) {
    char path[4200];
    int rc = os_path(path, sizeof path, state, name);
    if (rc)
        return rc;
    char *text = json_dumps(object, JSON_INDENT(1));
    if (!text)
        return SP_ENOMEM;
    rc = os_write_file(path, text, strlen(text), 0600);
    free(text);
    return rc;
}

int statefile_lock(const char *state, int *fd) {
    char path[4200];
    int rc = os_path(path, sizeof path, state, "lock");
    if (rc)
        return rc;
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0)
        return SP_ESYS;
    while (flock(lock, LOCK_EX) < 0) {
        if (errno != EINTR) {
            (void)close(lock);
            return SP_ESYS;
        }
    }
    *fd = lock;
    return 0;
}
