#include "sallyport/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const texts[] = {
    [0] = "done",
    [-SP_ENOMEM] = "out of memory",
    [-SP_EINVAL] = "not allowed by the rules",
    [-SP_ETOOBIG] = "too long or too many",
    [-SP_EFORMAT] = "malformed",
    [-SP_ENOENT] = "no such thing",
    [-SP_EEXIST] = "it is there already",
    [-SP_EDENIED] = "not permitted",
    [-SP_EAGAIN] = "not possible now, try again later",
    [-SP_ECLOSED] = "the other side is gone",
    [-SP_EVERSION] = "from a newer version than this one",
    [-SP_ETIMEOUT] = "took too long",
    [-SP_ECRYPTO] = "a cryptographic check failed",
    [-SP_EBUSY] = "in use by somebody else",
    [-SP_EEXPIRED] = "expired or used already",
};

const char *err_text(int rc) {
    if (rc == SP_ESYS)
        return strerror(errno);
    if (rc > 0 || rc <= -(int)(sizeof(texts) / sizeof(texts[0])))
        return "unknown error";
    return texts[-rc];
}

void why_set(struct why *why, const char *format, ...) {
    if (!why)
        return;
    int saved = errno;
    va_list args;
    va_start(args, format);
    if (vsnprintf(why->text, sizeof(why->text), format, args) < 0)
        why->text[0] = '\0';
    va_end(args);
    errno = saved;
}
