#include "loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { BACKLOG = 64 };

/* A new socket that no program we start inherits, and the address. */
static int loopback_socket(uint16_t port, struct sockaddr_in *address) {
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

static int give_up(int fd) {
    int error = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = error;
    return SP_ESYS;
}

int loopback_listen(uint16_t port, int *fd, uint16_t *got) {
    struct sockaddr_in here;
    socklen_t len = sizeof here;
    int on = 1, listener = loopback_socket(port, &here);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(listener, (const struct sockaddr *)&here, len) != 0 || listen(listener, BACKLOG) != 0 ||
        getsockname(listener, (struct sockaddr *)&here, &len) != 0)
        return give_up(listener);
    *fd = listener;
    *got = ntohs(here.sin_port);
    return 0;
}

int loopback_dial(uint16_t port, unsigned seconds, int *fd) {
    struct sockaddr_in there;
    struct timeval patience = {.tv_sec = (time_t)seconds};
    int dialed = loopback_socket(port, &there);
    if (dialed < 0 || setsockopt(dialed, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        connect(dialed, (const struct sockaddr *)&there, sizeof there) != 0)
        return give_up(dialed);
    *fd = dialed;
    return 0;
}
