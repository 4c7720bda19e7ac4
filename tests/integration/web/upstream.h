/* Unix sockets in a folder as the services of the stand's machines, with no tunnel in between. */
#ifndef SALLYPORT_TESTS_UPSTREAM_H
#define SALLYPORT_TESTS_UPSTREAM_H

#include <stdint.h>
#include <sys/socket.h>

#include "sallyport/base/loop.h"
#include "sallyport/domain/service.h"
#include "sallyport/wire/stream.h"

struct upstream {
    struct loop *loop;
    const char *folder; /* NULL: no machine is connected */
};

/* For web_config: connects FOLDER/SERVICE.sock, whatever the machine. ctx is struct upstream. */
int upstream_open(void *ctx, int64_t machine_id, const struct service *service, const struct sockaddr_storage *peer,
                  void (*opened)(void *opened_ctx, struct stream *stream), void *opened_ctx);

#endif
