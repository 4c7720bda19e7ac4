/* The local control socket of a daemon: one request, one answer (docs/PROTOCOL.md section 6). */
#ifndef SALLYPORT_WIRE_LOCAL_H
#define SALLYPORT_WIRE_LOCAL_H

#include <stddef.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"
#include "sallyport/base/loop.h"

struct local_server;

/* Runs requests: what one prints is appended to out and err; returns its exit status. */
struct local_handler {
    int (*run)(void *ctx, char **words, size_t count, const char *input, size_t input_len, struct buf *out,
               struct buf *err);
    void *ctx;
};

/* Listens at `path` (mode 0600), in place of a socket that a dead daemon left there. SP_ESYS, SP_ENOMEM, with why. The
 * caller holds the folder's lock, so nobody else serves that path. */
int local_server_new(struct loop *loop, const char *path, const struct local_handler *handler,
                     struct local_server **out, struct why *why);
/* Removes the socket file. NULL is allowed. */
void local_server_free(struct local_server *server);

/* Asks the daemon at `path` and waits (at most 30 s). SP_ENOENT: nobody listens there; SP_ETIMEOUT, SP_ECLOSED,
 * SP_EFORMAT, SP_ETOOBIG, SP_ESYS; why says what to do. */
int local_call(const char *path, char *const *words, size_t count, const char *input, size_t input_len, struct buf *out,
               struct buf *err, int *exit_status, struct why *why);

#endif
