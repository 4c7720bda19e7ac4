/* The join URL: sallyport://HOST:PORT/TOKEN#SHA256:FINGERPRINT, all that a newcomer needs in one string. */
#ifndef SALLYPORT_DOMAIN_JOIN_URL_H
#define SALLYPORT_DOMAIN_JOIN_URL_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/err.h"
#include "sallyport/base/secret.h"

struct join_url {
    char host[256]; /* a name, an IPv4 address, or an IPv6 address without brackets */
    uint16_t port;
    char token[SECRET_TOKEN_LEN + 1]; /* a secret: wipe it, never log it */
    char fingerprint[51];             /* "SHA256:" and 43 characters of base64 */
};

/* Room for any join URL with its terminator. */
#define JOIN_URL_SIZE 400

/* 0; SP_EFORMAT with what is missing or wrong, and the remedy, in why (never with the token in it). */
int join_url_parse(const char *text, struct join_url *out, struct why *why);
/* The same for a word of the command line, with blanks around it: for `-` the first line of `input` is read, byte by byte
 * and no further, so that nothing of it stays in a buffer. SP_EFORMAT, also when nothing came or it is too long; SP_ESYS:
 * it cannot be read; with why. */
int join_url_take(const char *word, int input, struct join_url *out, struct why *why);
/* 0, or SP_EINVAL when a part could not be read back. */
int join_url_format(char to[static JOIN_URL_SIZE], const struct join_url *url);

#endif
