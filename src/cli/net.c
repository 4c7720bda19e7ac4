#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/os.h"

int net_parse(const char *text, uint16_t port, struct net_address *out) {
    struct net_address made = {.len = 0};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(&made.at, &v4, sizeof v4);
        made.len = sizeof v4;
    } else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
        memcpy(&made.at, &v6, sizeof v6);
        made.len = sizeof v6;
    } else {
        return SP_EFORMAT;
    }
    *out = made;
    return 0;
}

int net_own_address(const struct net_address *to, char text[static INET6_ADDRSTRLEN]) {
    struct sockaddr_storage own = {0};
    socklen_t len = sizeof own;
    int fd = socket(to->at.ss_family, SOCK_DGRAM, 0);
    if (fd < 0)
        return SP_ESYS;
    int rc = connect(fd, (const struct sockaddr *)&to->at, to->len) ? SP_ESYS : 0;
    if (!rc && getsockname(fd, (struct sockaddr *)&own, &len))
        rc = SP_ESYS;
    if (!rc)
        os_address_text(&own, text);
    net_close(&fd);
    return rc;
}

int net_socket(int family, int *fd) {
    int one = 1;
    int made = socket(family, SOCK_STREAM, 0);
    if (made < 0)
        return SP_ESYS;
    if (fcntl(made, F_SETFD, FD_CLOEXEC) < 0 || os_nonblocking(made)) {
        net_close(&made);
        return SP_ESYS;
    }
    (void)setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(made, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    *fd = made;
    return 0;
}

int net_connect(const struct net_address *to, int *fd) {
    int made;
    int rc = net_socket(to->at.ss_family, &made);
    if (rc)
        return rc;
    if (connect(made, (const struct sockaddr *)&to->at, to->len) && errno != EINPROGRESS) {
        net_close(&made);
        return SP_ESYS;
    }
    *fd = made;
    return 0;
}

int net_connected(int fd) {
    struct pollfd set = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof error;
    if (poll(&set, 1, 0) <= 0)
        return SP_EAGAIN;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len))
        return SP_ESYS;
    errno = error;
    return error ? SP_ESYS : 0;
}

bool net_is_stale(int fd) {
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

void net_close(int *fd) {
    int saved = errno;
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
    errno = saved;
}

void net_waits_init(struct net_waits *waits, uint64_t until) {
    waits->count = 0;
    waits->until = until;
}

void net_wait_fd(struct net_waits *waits, int fd, short events) {
    if (fd >= 0 && waits->count < sizeof waits->fds / sizeof waits->fds[0])
        waits->fds[waits->count++] = (struct pollfd){.fd = fd, .events = events};
}

void net_wait_until(struct net_waits *waits, uint64_t when) {
    if (when < waits->until)
        waits->until = when;
}

void net_wait(struct net_waits *waits) {
    uint64_t now = os_monotonic_ms();
    (void)poll(waits->fds, (nfds_t)waits->count, waits->until > now ? (int)(waits->until - now) : 0);
}
