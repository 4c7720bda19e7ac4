#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "address.h"
#include "relay_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/relay/web.h"
#include "sallyport/wire/sniff.h"

enum {
    SOCKETS_MAX = 32,
    BACKLOG = 1024,
    ACCEPTS_PER_TURN = 64,
    GUESTS_PER_ADDRESS = 128, /* of other machines: an office behind one address does not get there */
    SILENT_MS = 2000,         /* who says nothing for so long is taken for an SSH client that waits for our line */
    PEEK_SIZE = 256,
    PAUSE_MS = 100, /* no accepting for so long when descriptors ran out */
};

/* A connection that has not logged in. The newest are wanted: when there are too many, one that has said nothing yet
 * has to go first, and of those the oldest. So a flood evicts itself, and who gets on with a login stays. */
struct guest {
    struct list link; /* in silent or talking */
    struct listener *listener;
    struct loop_fd watch; /* until handed over */
    struct loop_timer timer;
    struct sockaddr_storage address;
    char text[INET6_ADDRSTRLEN];
    uint64_t deadline;
    struct peer *peer; /* once it is SSH */
};

struct listener {
    struct relay *relay;
    struct loop_fd sockets[SOCKETS_MAX];
    size_t socket_count;
    struct list silent, talking;
    size_t guests, guests_max;
    struct loop_timer pause;
};

static void guest_free(struct guest *guest) {
    int fd = guest->watch.fd;
    loop_fd_remove(&guest->watch);
    if (fd >= 0)
        (void)close(fd);
    loop_timer_stop(&guest->timer);
    list_remove(&guest->link);
    guest->listener->guests--;
    free(guest);
}

/* The guest goes, and its connection with it. */
static void guest_evict(struct guest *guest, const char *message) {
    if (guest->peer)
        peer_drop(guest->peer, message);
    guest_free(guest);
}

/* Its peer has logged in, or is over. */
static void guest_settled(void *ctx) {
    guest_free(ctx);
}

static void guest_late(void *ctx) {
    guest_evict(ctx, "no login within 20 s");
}

/* From now on only the deadline counts, no more the silence. */
static int guest_limit(struct guest *guest) {
    struct loop *loop = guest->listener->relay->loop;
    uint64_t now = loop_now(loop);
    loop_timer_stop(&guest->timer);
    loop_timer_init(loop, &guest->timer, guest_late, guest);
    return loop_timer_set(&guest->timer, guest->deadline > now ? guest->deadline - now : 0);
}

static void guest_to_ssh(struct guest *guest, const char *banner) {
    struct listener *listener = guest->listener;
    int fd = guest->watch.fd;
    loop_fd_remove(&guest->watch);
    int rc = guest_limit(guest);
    if (rc < 0)
        (void)close(fd);
    else
        rc = peer_accept(listener->relay, fd, guest->text, banner, guest_settled, guest, &guest->peer);
    if (rc < 0)
        guest_free(guest);
}

static void guest_to_web(struct guest *guest, bool tls) {
    struct web *web = guest->listener->relay->web;
    int fd = guest->watch.fd;
    loop_fd_remove(&guest->watch);
    (void)web_accept(web, fd, &guest->address, tls, guest->deadline, NULL, NULL);
    guest_free(guest);
}

static void guest_to_door(struct guest *guest) {
    struct door *door = guest->listener->relay->door;
    int fd = guest->watch.fd;
    loop_fd_remove(&guest->watch);
    door_accept(door, fd, &guest->address);
    guest_free(guest);
}

static void guest_silent(void *ctx) {
    guest_to_ssh(ctx, "");
}

/* The first line of an SSH client, as far as it is here; nothing is taken from the socket. */
static void banner_of(const uint8_t *bytes, size_t n, char to[static PEEK_SIZE]) {
    size_t len = 0;
    while (len < n && len < PEEK_SIZE - 1 && bytes[len] >= 0x20 && bytes[len] < 0x7f) {
        to[len] = (char)bytes[len];
        len++;
    }
    to[len] = '\0';
}

/* Whether the first TLS record (RFC 8446 section 5.1: type, version, length) is here. Only then is it worth one of the
 * web front's places: a flood of half handshakes stays among the guests, where the newest push out the oldest. */
static bool hello_is_whole(int fd, const uint8_t *bytes, size_t n) {
    enum { HEADER = 5, RECORD_MAX = 16384 };
    int available = 0;
    if (n < HEADER || ioctl(fd, FIONREAD, &available) < 0)
        return false;
    size_t len = (size_t)bytes[3] << 8 | bytes[4];
    return len > RECORD_MAX || (size_t)available >= HEADER + len;
}

/* More of its first bytes is wanted: it is looked at again when some came, until its time is over. */
static void guest_wait(struct guest *guest) {
    if (guest_limit(guest) < 0 || loop_fd_set(&guest->watch, EPOLLIN | EPOLLET) < 0)
        guest_free(guest);
}

static void guest_ready(void *ctx, uint32_t events) {
    (void)events;
    struct guest *guest = ctx;
    uint8_t bytes[PEEK_SIZE];
    ssize_t n = recv(guest->watch.fd, bytes, sizeof bytes, MSG_PEEK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        guest_free(guest);
        return;
    }
    char banner[PEEK_SIZE];
    switch (sniff_bytes(bytes, (size_t)n)) {
    case SNIFF_SSH:
        banner_of(bytes, (size_t)n, banner);
        list_remove(&guest->link);
        list_append(&guest->listener->talking, &guest->link);
        guest_to_ssh(guest, banner);
        return;
    case SNIFF_TLS:
        if (hello_is_whole(guest->watch.fd, bytes, (size_t)n))
            guest_to_web(guest, true);
        else
            guest_wait(guest);
        return;
    case SNIFF_HTTP:
        guest_to_web(guest, false);
        return;
    case SNIFF_MORE:
        (void)loop_fd_set(&guest->watch, EPOLLIN | EPOLLET);
        return; /* woken by the next byte */
    case SNIFF_DOOR:
        guest_to_door(guest);
        return;
    case SNIFF_UNKNOWN:
        break;
    }
    guest_free(guest);
}

static void listener_make_room(struct listener *listener) {
    struct list *from = list_is_empty(&listener->silent) ? &listener->talking : &listener->silent;
    if (!list_is_empty(from))
        guest_evict(list_item(from->next, struct guest, link), "too many connections");
}

/* One network alone must not take all the places: beyond its share its own oldest guest goes. */
static void listener_keep_share(struct listener *listener, const struct sockaddr_storage *address, const char *text) {
    struct list *lists[] = {&listener->silent, &listener->talking};
    struct list *oldest = NULL, *node, *tmp;
    size_t count = 0;
    if (listener->guests < GUESTS_PER_ADDRESS || strcmp(text, "127.0.0.1") == 0 || strcmp(text, "::1") == 0)
        return;
    for (size_t i = 0; i < 2; i++) {
        list_foreach (node, tmp, lists[i]) {
            if (!address_is_neighbour(&list_item(node, struct guest, link)->address, address))
                continue;
            oldest = oldest ? oldest : node;
            count++;
        }
    }
    if (count >= GUESTS_PER_ADDRESS)
        guest_evict(list_item(oldest, struct guest, link), "too many connections from your address");
}

static void guest_new(struct listener *listener, int fd, const struct sockaddr_storage *address) {
    struct relay *relay = listener->relay;
    char text[INET6_ADDRSTRLEN];
    os_address_text(address, text);
    listener_keep_share(listener, address, text);
    if (listener->guests >= listener->guests_max)
        listener_make_room(listener);
    struct guest *guest = calloc(1, sizeof *guest);
    if (!guest) {
        (void)close(fd);
        return;
    }
    guest->listener = listener;
    guest->address = *address;
    guest->deadline = loop_now(relay->loop) + LOGIN_MS;
    (void)str_copy(guest->text, sizeof guest->text, text);
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    list_append(&listener->silent, &guest->link);
    listener->guests++;
    loop_fd_init(&guest->watch);
    loop_timer_init(relay->loop, &guest->timer, guest_silent, guest);
    if (loop_fd_add(relay->loop, &guest->watch, fd, EPOLLIN, guest_ready, guest) < 0) {
        (void)close(fd);
        guest_free(guest);
        return;
    }
    if (loop_timer_set(&guest->timer, SILENT_MS) < 0)
        guest_free(guest);
}

static void listener_arm(struct listener *listener, uint32_t events) {
    for (size_t i = 0; i < listener->socket_count; i++)
        (void)loop_fd_set(&listener->sockets[i], events);
}

static void listener_resume(void *ctx) {
    listener_arm(ctx, EPOLLIN);
}

static void socket_ready(void *ctx, uint32_t events) {
    (void)events;
    struct listener *listener = ctx;
    for (size_t s = 0; s < listener->socket_count; s++) {
        for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
            struct sockaddr_storage address = {0};
            socklen_t size = sizeof address;
            int fd = accept4(listener->sockets[s].fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd >= 0) {
                guest_new(listener, fd, &address);
                continue;
            }
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                log_warn("cannot accept a connection: %s", strerror(errno));
                listener_make_room(listener);
                listener_arm(listener, 0);
                if (loop_timer_set(&listener->pause, PAUSE_MS) < 0)
                    listener_resume(listener);
                return;
            }
            if (errno == EAGAIN)
                break;
        }
    }
}

static int socket_open(struct listener *listener, const struct sockaddr *address, socklen_t size, const char *text,
                       struct why *why) {
    if (listener->socket_count == SOCKETS_MAX) {
        why_set(why, "too many addresses to listen on: at most %d", SOCKETS_MAX);
        return SP_ETOOBIG;
    }
    int on = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        goto fail;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        goto fail;
    if (address->sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
        goto fail;
    if (bind(fd, address, size) < 0 || listen(fd, BACKLOG) < 0)
        goto fail;
    struct loop_fd *watch = &listener->sockets[listener->socket_count];
    loop_fd_init(watch);
    if (loop_fd_add(listener->relay->loop, watch, fd, EPOLLIN, socket_ready, listener) < 0)
        goto fail;
    listener->socket_count++;
    log_info("listening on %s", text);
    return 0;
fail:
    why_set(why, "cannot listen on %s: %s%s", text, strerror(errno),
            errno == EADDRINUSE ? ". Another program has that port: stop it, or give another port with --listen"
            : errno == EACCES   ? ". Ports below 1024 are for root (or: setcap cap_net_bind_service=+ep)"
                                : "");
    int rc = errno == EADDRINUSE ? SP_EBUSY : SP_ESYS;
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

static int listen_on(struct listener *listener, const char *text, struct why *why) {
    struct address parsed;
    int rc = address_parse(text, &parsed, why);
    if (rc < 0)
        return rc;
    if (!parsed.any)
        return socket_open(listener, (const struct sockaddr *)&parsed.sockaddr, parsed.size, text, why);
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(parsed.port)};
    rc = socket_open(listener, (const struct sockaddr *)&v4, sizeof v4, text, why);
    if (rc < 0)
        return rc;
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(parsed.port)};
    rc = socket_open(listener, (const struct sockaddr *)&v6, sizeof v6, text, why);
    /* A machine without IPv6 listens on IPv4 alone. */
    return rc == SP_ESYS && errno == EAFNOSUPPORT ? 0 : rc;
}

int listener_new(struct relay *relay, struct listener **out, struct why *why) {
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return SP_ENOMEM;
    listener->relay = relay;
    list_init(&listener->silent);
    list_init(&listener->talking);
    loop_timer_init(relay->loop, &listener->pause, listener_resume, listener);
    /* Two descriptors a guest, and a quarter of all for guests. */
    size_t most = os_raise_nofile() / 8;
    listener->guests_max = relay->config->max_guests < most ? (size_t)relay->config->max_guests : most;
    for (size_t i = 0; i < relay->config->listen.count; i++) {
        int rc = listen_on(listener, relay->config->listen.items[i], why);
        if (rc < 0) {
            listener_free(listener);
            return rc;
        }
    }
    *out = listener;
    return 0;
}

void listener_free(struct listener *listener) {
    if (!listener)
        return;
    for (size_t i = 0; i < listener->socket_count; i++) {
        int fd = listener->sockets[i].fd;
        loop_fd_remove(&listener->sockets[i]);
        (void)close(fd);
    }
    while (!list_is_empty(&listener->silent))
        guest_evict(list_item(listener->silent.next, struct guest, link), "the relay is stopping");
    while (!list_is_empty(&listener->talking))
        guest_evict(list_item(listener->talking.next, struct guest, link), "the relay is stopping");
    loop_timer_stop(&listener->pause);
    free(listener);
}
