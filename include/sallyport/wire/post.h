/* Sends a message to a server of somebody else's, by HTTP POST or SMTP (libcurl), from threads of its own. */
#ifndef SALLYPORT_WIRE_POST_H
#define SALLYPORT_WIRE_POST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/err.h"

struct loop;
struct posts;

#define POST_FIELDS_MAX 8
#define POST_BODY_MAX 16384

/* Everything is copied. Certificates are verified, redirects are not followed, proxies of the environment not asked,
 * answers not kept. */
struct post {
    const char *url;                     /* http, https, smtp or smtps */
    const char *fields[POST_FIELDS_MAX]; /* "Title: x", without line ends; the unused ones NULL */
    const void *body;                    /* of mail the whole message, lines with CRLF (RFC 5322) */
    size_t body_len;
    const char *from, *to;       /* of mail: addresses */
    const char *user, *password; /* of mail: for the server; NULL: none. With a password TLS is a must. */
    /* Asked on a thread before each connection: may it go to this address (in figures)? NULL: to any. */
    bool (*allows)(const char *address);
    unsigned timeout_s; /* for all of it */
};

/* 0, SP_ENOMEM, SP_ESYS. posts_free breaks off what is under way, whose `done` is not called; NULL is allowed. */
int posts_new(struct loop *loop, struct posts **out);
void posts_free(struct posts *posts);

/* `done` is called on the loop, never from inside: rc 0 when the server took it (2xx), else with why, which names neither
 * the URL nor the password. SP_EBUSY: too many are under way; SP_ETOOBIG, SP_EINVAL (a line end in a field), SP_ENOMEM:
 * `done` does not follow. */
int posts_send(struct posts *posts, const struct post *post, void (*done)(void *ctx, int rc, const struct why *why),
               void *ctx);

#endif
