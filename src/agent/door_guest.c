#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "door_local.h"
#include "sallyport/base/log.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/keepalive.h"
#include "sallyport/wire/socket_line.h"

enum {
    GUESTS_MAX = 64,
    GUESTS_PER_ADDRESS = 16,
    PUNCHED_MAX = 16,
    QUESTIONS_MAX = 16,
    PATIENCE_MS = 10000,
    PUNCHED_PATIENCE_MS = 600000,
};

void guest_free(struct guest *guest) {
    int fd = guest->watch.fd;
    loop_fd_remove(&guest->watch);
    if (fd >= 0)
        (void)close(fd);
    loop_timer_stop(&guest->late);
    list_remove(&guest->link);
    guest->door->guest_count--;
    secret_wipe(guest->line, sizeof guest->line); /* tickets were there */
    free(guest);
}

/* Its connection, which is somebody else's from now on. */
static int guest_release(struct guest *guest) {
    int fd = guest->watch.fd;
    loop_fd_remove(&guest->watch);
    guest_free(guest);
    return fd;
}

static void guest_late(void *ctx) {
    guest_free(ctx);
}

/* One IPv4 address or one IPv6 /64 counts as one, for that is what one party has. */
static void group_of(const char *from, uint8_t group[static 16]) {
    memset(group, 0, 16);
    if (inet_pton(AF_INET, from, group) == 1)
        return;
    struct in6_addr address;
    if (inet_pton(AF_INET6, from, &address) == 1)
        memcpy(group, &address, 8);
    group[15] = 6;
}

static bool is_silent(const struct guest *guest) {
    return guest->n == 0 && guest->questions == 0;
}

/* The one that goes when there are too many, of one group or of all: the oldest that has said nothing, else the oldest.
 * So a flood evicts itself, and the newest are let in. */
static struct guest *guest_to_evict(const struct door *door, const uint8_t *group, bool punched) {
    struct guest *oldest = NULL;
    struct list *node, *tmp;
    list_foreach (node, tmp, &door->guests) {
        struct guest *guest = list_item(node, struct guest, link);
        if (guest->punched != punched || (group && memcmp(guest->group, group, sizeof guest->group) != 0))
            continue;
        if (punched || is_silent(guest))
            return guest;
        if (!oldest)
            oldest = guest;
    }
    return oldest;
}

static size_t guest_count(const struct door *door, const uint8_t *group, bool punched) {
    size_t count = 0;
    struct list *node, *tmp;
    list_foreach (node, tmp, &door->guests) {
        const struct guest *guest = list_item(node, struct guest, link);
        count += guest->punched == punched && (!group || memcmp(guest->group, group, sizeof guest->group) == 0);
    }
    return count;
}

static void guest_make_room(struct door *door, const uint8_t *group, bool punched) {
    if (!punched && guest_count(door, group, false) >= GUESTS_PER_ADDRESS)
        guest_free(guest_to_evict(door, group, false));
    if (guest_count(door, NULL, punched) >= (punched ? PUNCHED_MAX : GUESTS_MAX))
        guest_free(guest_to_evict(door, NULL, punched));
}

static void guest_raw(struct guest *guest, const struct door_line *question) {
    struct door *door = guest->door;
    struct ticket ticket;
    struct why why = {""};
    char from[INET6_ADDRSTRLEN];
    int rc = gate_check(door->config.gate, TICKET_STREAM, question->argument, question->len, &ticket, &why);
    if (rc < 0 && !why.text[0]) {
        guest_free(guest);
        return;
    }
    (void)str_copy(from, sizeof from, guest->from);
    int fd = guest_release(guest);
    if (rc < 0) {
        log_info("a ticket from %s is no good: %s", from, why.text);
        answer_no(door->config.loop, fd, why.text);
        return;
    }
    struct visitor visitor = {.user = ticket.user, .service = ticket.service, .from = from, .greet = true};
    visits_open(door->config.visits, &visitor, fd);
}

static void guest_prove(struct guest *guest, const struct door_line *question) {
    struct door *door = guest->door;
    struct ticket ticket;
    struct why why = {""};
    uint8_t signature[SIGNING_SIGNATURE_SIZE];
    char text[BASE64URL_SIZE(SIGNING_SIGNATURE_SIZE)];
    int rc = gate_check(door->config.gate, TICKET_PROVE, question->argument, question->len, &ticket, &why);
    if (rc == 0)
        rc = signing_sign(door->key, TICKET_PROOF_PURPOSE, question->argument, question->len, signature);
    if (rc < 0) {
        guest_free(guest);
        return;
    }
    base64url_encode(text, signature, sizeof signature);
    int fd = guest_release(guest);
    (void)answer_ok(fd, text);
    answer_close(door->config.loop, fd);
}

/* True: another question may follow. */
static bool guest_knock(struct guest *guest, const struct door_line *question) {
    const struct door *door = guest->door;
    return question->len == DOOR_KNOCK_TEXT && secret_equal(question->argument, door->knock, DOOR_KNOCK_TEXT) &&
           answer_ok(guest->watch.fd, NULL) == 0;
}

/* Whoever says something wrong sees the connection close without a byte. */
static bool guest_answer(struct guest *guest, const struct door_line *question) {
    switch (question->mode) {
    case DOOR_RAW:
        guest_raw(guest, question);
        return false;
    case DOOR_PROVE:
        guest_prove(guest, question);
        return false;
    case DOOR_KNOCK:
        if (++guest->questions <= QUESTIONS_MAX && guest_knock(guest, question))
            return true;
        break;
    case DOOR_ASK:
    case DOOR_SERVE:
    case DOOR_PUNCH:
    case DOOR_OTHER:
        break;
    }
    guest_free(guest);
    return false;
}

static int guest_wait(struct guest *guest) {
    return loop_timer_set(&guest->late, guest->punched ? PUNCHED_PATIENCE_MS : PATIENCE_MS);
}

static void guest_ready(void *ctx, uint32_t events) {
    (void)events;
    struct guest *guest = ctx;
    for (;;) {
        struct door_line question;
        size_t used;
        int rc = socket_line_read(guest->watch.fd, guest->line, sizeof guest->line, &guest->n);
        /* What is no question shows before its line ends. */
        int parsed = guest->n ? door_line_parse(guest->line, guest->n, &question, &used) : SP_EAGAIN;
        if (rc == SP_EAGAIN && parsed == SP_EAGAIN)
            return;
        if (rc < 0 || parsed < 0) {
            guest_free(guest);
            return;
        }
        if (!guest_answer(guest, &question))
            return;
        guest->n = 0;
        if (guest_wait(guest) < 0) {
            guest_free(guest);
            return;
        }
    }
}

void guest_new(struct door *door, int fd, const char *from, bool punched) {
    uint8_t group[16];
    group_of(from, group);
    guest_make_room(door, group, punched);
    struct guest *guest = calloc(1, sizeof *guest);
    if (!guest) {
        (void)close(fd);
        return;
    }
    guest->door = door;
    guest->punched = punched;
    memcpy(guest->group, group, sizeof group);
    (void)str_copy(guest->from, sizeof guest->from, from);
    loop_fd_init(&guest->watch);
    loop_timer_init(door->config.loop, &guest->late, guest_late, guest);
    list_append(&door->guests, &guest->link);
    door->guest_count++;
    keepalive_set(fd, VISITS_IDLE_S);
    if (loop_fd_add(door->config.loop, &guest->watch, fd, EPOLLIN, guest_ready, guest) < 0) {
        (void)close(fd);
        guest_free(guest);
    } else if (guest_wait(guest) < 0) {
        guest_free(guest);
    }
}
