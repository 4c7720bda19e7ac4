/* TCP hole punching (docs/PROTOCOL.md section 7, "Punched"): both sides connect to each other from the ports that the
 * relay has seen, at the same time. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "net.h"
#include "punched.h"
#include "punched_keep.h"
#include "race.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/socket_line.h"

enum {
    MEET_MS = 12000,
    PUNCH_MS = 2000,
    PUNCH_AGAIN_MS = 500,
    PAUSE_MS = 50,
    KEEP_MS = 9 * 60 * 1000,
    KEEPALIVE_S = 25
};

/* A socket on that local port (0: any), which others of ours may share. */
static int shared_socket(int family, uint16_t port, int *fd) {
    int one = 1, made;
    struct net_address own;
    int rc = net_parse(family == AF_INET ? "0.0.0.0" : "::", port, &own);
    if (!rc)
        rc = net_socket(family, &made);
    if (rc)
        return rc;
    if (setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        setsockopt(made, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) ||
        bind(made, (const struct sockaddr *)&own.at, own.len)) {
        net_close(&made);
        return SP_ESYS;
    }
    *fd = made;
    return 0;
}

static int wait_connected(int fd, uint64_t until) {
    int rc;
    while ((rc = net_connected(fd)) == SP_EAGAIN) {
        struct net_waits waits;
        if (os_monotonic_ms() >= until)
            return SP_ETIMEOUT;
        net_waits_init(&waits, until);
        net_wait_fd(&waits, fd, POLLOUT);
        net_wait(&waits);
    }
    return rc;
}

/* A connection from that port; SP_ETIMEOUT after the time. */
static int shared_connect(const struct net_address *to, uint16_t port, uint64_t until, int *fd) {
    int made;
    int rc = shared_socket(to->at.ss_family, port, &made);
    if (rc)
        return rc;
    if (connect(made, (const struct sockaddr *)&to->at, to->len) && errno != EINPROGRESS)
        rc = SP_ESYS;
    if (!rc)
        rc = wait_connected(made, until);
    if (rc)
        net_close(&made);
    else
        *fd = made;
    return rc;
}

static int own_port(int fd, uint16_t *port) {
    struct sockaddr_storage own = {0};
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    socklen_t len = sizeof own;
    if (getsockname(fd, (struct sockaddr *)&own, &len))
        return SP_ESYS;
    memcpy(&v4, &own, sizeof v4);
    memcpy(&v6, &own, sizeof v6);
    *port = ntohs(own.ss_family == AF_INET ? v4.sin_port : v6.sin6_port);
    return 0;
}

/* One question at a door and what follows its `ok`. */
static int door_talk(int fd, enum door_mode mode, const char *argument, uint64_t until, char *text, size_t size) {
    uint8_t line[RACE_DOOR_LINE_MAX];
    struct door_answer answer;
    size_t n = 0, used;
    int rc = door_say(fd, mode, argument);
    while (!rc && (rc = socket_line_read(fd, line, sizeof line, &n)) == SP_EAGAIN) {
        struct net_waits waits;
        rc = os_monotonic_ms() >= until ? SP_ETIMEOUT : 0;
        net_waits_init(&waits, until);
        net_wait_fd(&waits, fd, POLLIN);
        if (!rc)
            net_wait(&waits);
        if (rc)
            return rc;
    }
    if (!rc)
        rc = door_answer_parse(line, n, &answer, &used);
    if (!rc && !answer.ok)
        rc = SP_EDENIED;
    if (!rc && answer.len >= size)
        rc = SP_ETOOBIG;
    if (!rc)
        (void)snprintf(text, size, "%.*s", (int)answer.len, answer.text);
    return rc;
}

/* "ADDRESS PORT". */
static int read_place(char *text, struct net_address *out) {
    uint64_t port;
    char *blank = strchr(text, ' ');
    if (!blank)
        return SP_EFORMAT;
    *blank = '\0';
    if (str_u64(blank + 1, 1, UINT16_MAX, &port))
        return SP_EFORMAT;
    return net_parse(text, (uint16_t)port, out);
}

/* The relay over IPv4 if that can be: it is where routers translate, and both sides have to meet in one family. */
static int connect_relay(const struct cli *cli, uint64_t until, int *fd) {
    static const int families[] = {AF_INET, AF_INET6};
    int rc = SP_ENOENT;
    for (size_t i = 0; i < 2 && rc; i++) {
        struct net_address relay;
        rc = net_lookup(cli->client.host, cli->client.port, families[i], &relay);
        if (!rc)
            rc = shared_connect(&relay, 0, until, fd);
    }
    return rc;
}

/* Where the machine is, as the relay sees it, and the port of ours that the relay sees. */
static int meet(const struct cli *cli, const char *ticket, struct net_address *peer, uint16_t *port) {
    char text[128];
    int fd = -1;
    uint64_t until = os_monotonic_ms() + MEET_MS;
    int rc = connect_relay(cli, until, &fd);
    if (!rc)
        rc = own_port(fd, port);
    if (!rc)
        rc = door_talk(fd, DOOR_PUNCH, ticket, until, text, sizeof text);
    if (!rc)
        rc = read_place(text, peer);
    net_close(&fd);
    return rc;
}

static int punch(const struct net_address *peer, uint16_t port, int *fd) {
    uint64_t until = os_monotonic_ms() + PUNCH_MS;
    int rc = SP_ETIMEOUT;
    for (uint64_t now = os_monotonic_ms(); rc && now < until; now = os_monotonic_ms()) {
        uint64_t again = now + PUNCH_AGAIN_MS < until ? now + PUNCH_AGAIN_MS : until;
        rc = shared_connect(peer, port, again, fd);
        if (rc && rc != SP_ETIMEOUT) {
            struct net_waits pause; /* refused: the other side has not begun, or a router is in the way */
            net_waits_init(&pause, os_monotonic_ms() + PAUSE_MS);
            net_wait(&pause);
        }
    }
    return rc;
}

/* The routers on the way forget connections that are silent. */
static void keep_alive(int fd) {
#ifdef TCP_KEEPIDLE
    int seconds = KEEPALIVE_S;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
#else
    (void)fd;
#endif
}

int punch_run(const struct cli *cli, const struct memory_entry *entry, const struct answer *answer) {
    struct net_address peer;
    char text[RACE_DOOR_LINE_MAX];
    uint16_t port = 0;
    int fd = -1;
    int rc = meet(cli, answer->punch_ticket, &peer, &port);
    if (!rc)
        rc = punch(&peer, port, &fd);
    if (!rc)
        rc = door_talk(fd, DOOR_KNOCK, answer->knock, os_monotonic_ms() + RACE_WAY_MS, text, sizeof text);
    if (!rc) {
        keep_alive(fd);
        /* Whether anybody takes it says nothing about the way. */
        (void)punched_keep(cli->state, entry, fd, KEEP_MS);
    }
    net_close(&fd);
    return rc;
}
