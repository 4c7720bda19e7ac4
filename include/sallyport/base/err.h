/* Error codes of the whole house, and the sentence that explains one to a person. */
#ifndef SALLYPORT_BASE_ERR_H
#define SALLYPORT_BASE_ERR_H

/* Functions that can fail return 0 or one of these; out-parameters are untouched on failure. */
enum sp_err {
    SP_ESYS = -1,      /* a system call failed, errno tells which way */
    SP_ENOMEM = -2,    /* out of memory */
    SP_EINVAL = -3,    /* against a rule: a name, an option, an argument */
    SP_ETOOBIG = -4,   /* over a bound: too long, too many, too deep */
    SP_EFORMAT = -5,   /* malformed input */
    SP_ENOENT = -6,    /* no such thing */
    SP_EEXIST = -7,    /* it is there already */
    SP_EDENIED = -8,   /* policy says no */
    SP_EAGAIN = -9,    /* not now, try later */
    SP_ECLOSED = -10,  /* the other side is gone */
    SP_EVERSION = -11, /* from a newer version than this one */
    SP_ETIMEOUT = -12, /* took too long */
    SP_ECRYPTO = -13,  /* a cryptographic library refused or a check failed */
    SP_EBUSY = -14,    /* in use by somebody else */
    SP_EEXPIRED = -15, /* its time is over, or it was used already */
};

/* A short English text for rc (a value of enum sp_err, or 0). Never NULL; for SP_ESYS it is strerror(errno). */
const char *err_text(int rc);

/* A sentence for a person: what was wrong, where, and what to do. Plain text, always terminated. */
struct why {
    char text[512];
};

/* Writes the sentence (cut off when too long). `why` may be NULL: then nothing happens. errno is kept. */
void why_set(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
