#include "upstream.h"

#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "sallyport/wire/socket_stream.h"

/* A connected socket, or -1. */
static int dial(const char *folder, const char *service) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s.sock", folder, service);
    int fd = n > 0 && (size_t)n < sizeof(address.sun_path)
                 ? socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
                 : -1;
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address))) {
        close(fd);
        return -1;
    }
    return fd;
}

int upstream_open(void *ctx, int64_t machine_id, const struct service *service, const struct sockaddr_storage *peer,
                  void (*opened)(void *opened_ctx, struct stream *stream), void *opened_ctx) {
    const struct upstream *upstream = ctx;
    struct stream *stream = NULL;
    (void)machine_id;
    (void)peer;
    if (!upstream->folder) {
        return SP_ENOENT;
    }
    int fd = dial(upstream->folder, service->name);
    if (fd >= 0 && socket_stream_new(upstream->loop, fd, &stream)) {
        stream = NULL;
    }
    opened(opened_ctx, stream);
    return 0;
}
