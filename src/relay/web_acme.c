/* Answers to ACME's http-01 challenges (RFC 8555 section 8.3), from a folder that an ACME client writes to. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/base/log.h"
#include "sallyport/base/os.h"
#include "sealed.h"
#include "web_local.h"

#define ACME_PATH "/.well-known/acme-challenge/"
#define ANSWER_MAX 4096
#define TOKEN_MIN 16 /* 128 bits take 22 characters (RFC 8555 section 8.1) */
#define TOKEN_MAX 128

/* base64url only: so it can be no path, and no hidden file. */
static bool token_is_good(const char *token) {
    size_t len = strlen(token);
    return len >= TOKEN_MIN && len <= TOKEN_MAX &&
           strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

/* Appends the file's contents. 0; SP_ENOENT when there is no such regular file; SP_ETOOBIG, SP_ESYS, SP_ENOMEM. */
static int answer_load(const char *path, struct buf *out) {
    struct stat info;
    uint8_t *to;
    /* Whoever may write there must not be able to show other files by a link; a FIFO must not hold us up. */
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ELOOP ? SP_ENOENT : SP_ESYS;
    int rc = fstat(fd, &info) < 0 ? SP_ESYS : 0;
    if (!rc && !S_ISREG(info.st_mode))
        rc = SP_ENOENT;
    if (!rc && info.st_size > ANSWER_MAX)
        rc = SP_ETOOBIG;
    if (!rc)
        rc = buf_reserve(out, ANSWER_MAX, &to);
    if (!rc) {
        ssize_t n = read(fd, to, ANSWER_MAX);
        if (n >= 0)
            buf_commit(out, (size_t)n);
        else
            rc = SP_ESYS;
    }
    close(fd);
    return rc;
}

void web_acme_answer(struct web_visit *visit) {
    const char *token = visit->request->path + strlen(ACME_PATH), *method = visit->request->method;
    char path[PATH_MAX];
    struct buf body;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        if (page_response_header(visit->response, "Allow", "GET, HEAD") == 0)
            web_answer_text(visit, 405, "this address does not take that method");
        return;
    }
    buf_init(&body);
    int rc = SP_ENOENT;
    if (visit->web->acme_webroot && token_is_good(token))
        rc = os_path(path, sizeof(path), visit->web->acme_webroot, token);
    if (!rc)
        rc = answer_load(path, &body);
    if (!rc) {
        web_answer_body(visit, 200, "text/plain", &body);
        return;
    }
    if (rc != SP_ENOENT)
        log_warn("%s cannot be read for the ACME server that asks for it: %s%s", path, err_text(rc), sealed_hint(path));
    buf_fini(&body);
    web_answer_text(visit, 404, "there is no such challenge here");
}
