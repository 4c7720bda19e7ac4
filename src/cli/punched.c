/* Where a punched connection waits: a Unix socket in the state folder, from which it is handed over once. */
#include "punched.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "handover_fd.h"
#include "net.h"
#include "punched_keep.h"
#include "sallyport/base/secret.h"
#include "sallyport/wire/digest.h"

enum { TAKE_MS = 200 };

/* One name for each entry; short, because the path of a Unix socket must be. */
static int socket_name(const struct memory_entry *entry, struct sockaddr_un *to) {
    char text[INET6_ADDRSTRLEN + 2 * SP_NAME_SIZE + 8], hex[33];
    uint8_t hash[DIGEST_SIZE];
    int n = snprintf(text, sizeof text, "%s %s %s", entry->network, entry->box, entry->service);
    int rc = digest_sha256(text, (size_t)n, hash);
    if (rc)
        return rc;
    hex_encode(hex, hash, 16);
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(to->sun_path, sizeof to->sun_path, "punched-%s", hex);
    return 0;
}

static int take_from(const struct sockaddr_un *place, int *fd) {
    struct timeval patience = {.tv_usec = TAKE_MS * 1000};
    int link = socket(AF_UNIX, SOCK_STREAM, 0);
    if (link < 0)
        return SP_ESYS;
    (void)setsockopt(link, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    int rc = connect(link, (const struct sockaddr *)place, sizeof *place) ? SP_ENOENT : handover_fd_receive(link, fd);
    net_close(&link);
    return rc;
}

int punched_take(const char *state, const struct memory_entry *entry, int *fd) {
    struct sockaddr_un place;
    int taken, back = -1;
    int rc = socket_name(entry, &place);
    if (!rc)
        back = open(".", O_RDONLY | O_CLOEXEC);
    /* By a path from the folder itself: the whole one may be too long for a socket's name. */
    if (back < 0 || chdir(state)) {
        net_close(&back);
        return SP_ENOENT;
    }
    rc = take_from(&place, &taken);
    bool returned = fchdir(back) == 0;
    net_close(&back);
    if (rc || !returned)
        return SP_ENOENT;
    if (net_is_stale(taken)) {
        net_close(&taken);
        return SP_ENOENT;
    }
    *fd = taken;
    return 0;
}

/* 0 when somebody has taken it. */
static int wait_for_taker(int listener, int fd, uint64_t ms) {
    struct pollfd set[2] = {{.fd = listener, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    if (poll(set, 2, (int)ms) <= 0)
        return SP_ETIMEOUT;
    if (set[1].revents)
        return SP_ECLOSED;
    int taker = accept(listener, NULL, NULL);
    if (taker < 0)
        return SP_ESYS;
    int rc = handover_fd_send(taker, fd);
    net_close(&taker);
    return rc;
}

int punched_keep(const char *state, const struct memory_entry *entry, int fd, uint64_t ms) {
    struct sockaddr_un place;
    int rc = socket_name(entry, &place);
    if (!rc && chdir(state))
        rc = SP_ESYS;
    int listener = rc ? -1 : socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener < 0)
        return SP_ESYS;
    (void)fcntl(listener, F_SETFD, FD_CLOEXEC);
    (void)unlink(place.sun_path);
    rc = bind(listener, (const struct sockaddr *)&place, sizeof place) || chmod(place.sun_path, 0600) ||
                 listen(listener, 1)
             ? SP_ESYS
             : 0;
    if (!rc)
        rc = wait_for_taker(listener, fd, ms);
    (void)unlink(place.sun_path);
    net_close(&listener);
    return rc;
}
