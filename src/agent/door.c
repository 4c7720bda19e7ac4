#include "door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/domain/candidate.h"

enum { FIRST_PORT = 49152, TRIES = 32, BACKLOG = 64, ACCEPTS_PER_TURN = 16, PAUSE_MS = 100 };

/* A socket that listens on that port of every address; -1 with errno. */
static int door_bind(uint16_t port) {
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1, off = 0;
    const struct sockaddr *address = (const struct sockaddr *)&any6;
    socklen_t size = sizeof any6;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 && errno == EAFNOSUPPORT) {
        fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        address = (const struct sockaddr *)&any4;
        size = sizeof any4;
    }
    if (fd < 0)
        return -1;
    if (address == (const struct sockaddr *)&any6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address, size) < 0 || listen(fd, BACKLOG) < 0) {
        int error = errno;
        (void)close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int door_listen(struct door *door, int *out, struct why *why) {
    uint16_t port = door->config.port;
    int fd = port ? door_bind(port) : -1;
    if (fd < 0 && door->config.fixed) {
        why_set(why, "door_port = %u: %s. Choose another one, or 0 for any", port, strerror(errno));
        return errno == EADDRINUSE ? SP_EBUSY : SP_ESYS;
    }
    for (int i = 0; fd < 0 && i < TRIES; i++) {
        uint16_t random;
        if (secret_random(&random, sizeof random) < 0)
            return SP_ESYS;
        port = (uint16_t)(FIRST_PORT + random % (UINT16_MAX + 1 - FIRST_PORT));
        fd = door_bind(port);
    }
    if (fd < 0) {
        why_set(why, "no port for the door: %s", strerror(errno));
        return SP_ESYS;
    }
    door->port = port;
    *out = fd;
    return 0;
}

static void door_accept_one(struct door *door, int fd, const struct sockaddr_storage *address) {
    char text[INET6_ADDRSTRLEN], from[INET6_ADDRSTRLEN];
    os_address_text(address, text);
    guest_new(door, fd, candidate_address(from, text) ? from : text, false);
}

static void door_ready(void *ctx, uint32_t events) {
    (void)events;
    struct door *door = ctx;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage address = {0};
        socklen_t size = sizeof address;
        int fd = accept4(door->watch.fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            door_accept_one(door, fd, &address);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            (void)loop_fd_set(&door->watch, 0);
            (void)loop_timer_set(&door->pause, PAUSE_MS);
        }
        if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

static void door_go_on(void *ctx) {
    struct door *door = ctx;
    (void)loop_fd_set(&door->watch, EPOLLIN);
}

static int door_make_secrets(struct door *door) {
    uint8_t seed[SIGNING_SEED_SIZE], knock[DOOR_KNOCK_SIZE];
    int rc = secret_random(seed, sizeof seed);
    if (rc == 0)
        rc = secret_random(knock, sizeof knock);
    if (rc == 0)
        rc = signing_key_new(seed, &door->key);
    if (rc == 0)
        base64url_encode(door->knock, knock, sizeof knock);
    secret_wipe(seed, sizeof seed);
    secret_wipe(knock, sizeof knock);
    return rc;
}

int door_new(const struct door_config *config, struct door **out, struct why *why) {
    struct door *door = calloc(1, sizeof *door);
    int fd = -1;
    if (!door)
        return SP_ENOMEM;
    door->config = *config;
    list_init(&door->guests);
    loop_fd_init(&door->watch);
    loop_timer_init(config->loop, &door->pause, door_go_on, door);
    int rc = door_make_secrets(door);
    if (rc == 0)
        rc = door_listen(door, &fd, why);
    if (rc == 0)
        rc = loop_fd_add(config->loop, &door->watch, fd, EPOLLIN, door_ready, door);
    if (rc < 0) {
        if (fd >= 0)
            (void)close(fd);
        door_free(door);
        return rc;
    }
    *out = door;
    return 0;
}

void door_free(struct door *door) {
    if (!door)
        return;
    int fd = door->watch.fd;
    loop_fd_remove(&door->watch);
    if (fd >= 0)
        (void)close(fd);
    loop_timer_stop(&door->pause);
    struct list *node, *tmp;
    list_foreach (node, tmp, &door->guests)
        guest_free(list_item(node, struct guest, link));
    signing_key_free(door->key);
    secret_wipe(door->knock, sizeof door->knock);
    free(door);
}

uint16_t door_port(const struct door *door) {
    return door->port;
}

const uint8_t *door_key(const struct door *door) {
    return signing_key_public(door->key);
}

const char *door_knock(const struct door *door) {
    return door->knock;
}

void door_adopt(struct door *door, int fd, const char *from) {
    guest_new(door, fd, from, true);
}

size_t door_waiting(const struct door *door) {
    return door->guest_count;
}
