/* A door with a relay that signs tickets for it and a service behind it; the loop turns while a test waits. */
#ifndef SALLYPORT_TESTS_DOOR_RIG_H
#define SALLYPORT_TESTS_DOOR_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door.h"
#include "own_clock.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/wire/signing.h"

#define RELAY_TIME 2000000000 /* nothing like this machine's clock */

enum { RIG_PATIENCE_MS = 30000, RIG_STEP_MS = 10 };

struct rig {
    struct loop *loop;
    struct loop_timer stop;
    struct signing_key *relay;
    struct relay_clock clock;
    uint8_t machine[TICKET_MACHINE_SIZE];
    struct gate *gate;
    struct visits *visits;
    struct door *door;
    int service; /* listens, as `ssh` */
    uint16_t service_port;
    uint8_t next_id;
    char ticket[TICKET_TEXT_SIZE]; /* the last one made */
};

static inline void rig_stop(void *ctx) {
    struct rig *rig = ctx;
    loop_stop(rig->loop);
}

static inline void rig_turn(struct rig *rig) {
    assert_int_equal(loop_timer_set(&rig->stop, RIG_STEP_MS), 0);
    assert_int_equal(loop_run(rig->loop), 0);
}

static inline bool rig_find(void *ctx, const char *service, struct visit_place *out) {
    const struct rig *rig = ctx;
    if (strcmp(service, "ssh") != 0)
        return false;
    (void)snprintf(out->host, sizeof out->host, "127.0.0.1");
    out->port = rig->service_port;
    return true;
}

static inline int rig_listen(uint16_t *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static inline void rig_open(struct rig *rig) {
    uint8_t seed[SIGNING_SEED_SIZE] = {7};
    memset(rig, 0, sizeof *rig);
    memset(rig->machine, 0x4d, sizeof rig->machine);
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(loop_new(&rig->loop), 0);
    loop_timer_init(rig->loop, &rig->stop, rig_stop, rig);
    assert_int_equal(signing_key_new(seed, &rig->relay), 0);
    rig->service = rig_listen(&rig->service_port);
    struct visits_config visits = {.loop = rig->loop, .find = rig_find, .ctx = rig};
    assert_int_equal(visits_new(&visits, &rig->visits), 0);
    assert_int_equal(gate_new(rig->machine, &rig->clock, os_boottime_ms(), &rig->gate), 0);
    relay_clock_hear(&rig->clock, RELAY_TIME, os_boottime_ms());
    gate_trust(rig->gate, signing_key_public(rig->relay));
    struct door_config door = {.loop = rig->loop, .gate = rig->gate, .visits = rig->visits};
    assert_int_equal(door_new(&door, &rig->door, NULL), 0);
}

static inline void rig_close(struct rig *rig) {
    door_free(rig->door);
    visits_free(rig->visits);
    gate_free(rig->gate);
    signing_key_free(rig->relay);
    (void)close(rig->service);
    loop_timer_stop(&rig->stop);
    loop_free(rig->loop);
}

static inline int64_t rig_now(const struct rig *rig) {
    return relay_clock_at(&rig->clock, os_boottime_ms());
}

/* A good one; to be spoiled by the test. */
static inline struct ticket rig_ticket(struct rig *rig, enum ticket_kind kind) {
    struct ticket ticket = {.kind = kind, .expires = rig_now(rig) + TICKET_LIFE_S};
    memset(ticket.id, ++rig->next_id, sizeof ticket.id);
    memcpy(ticket.machine, rig->machine, sizeof ticket.machine);
    if (kind != TICKET_PROVE)
        (void)snprintf(ticket.user, sizeof ticket.user, "alice");
    if (kind == TICKET_STREAM || kind == TICKET_SERVE)
        (void)snprintf(ticket.service, sizeof ticket.service, "ssh");
    return ticket;
}

static inline const char *rig_sign(struct rig *rig, const struct ticket *ticket) {
    uint8_t body[TICKET_BODY_MAX], signature[TICKET_SIGNATURE_SIZE];
    size_t n;
    assert_int_equal(ticket_pack(ticket, body, &n), 0);
    assert_int_equal(signing_sign(rig->relay, TICKET_PURPOSE, body, n, signature), 0);
    assert_int_equal(ticket_to_text(body, n, signature, rig->ticket), 0);
    return rig->ticket;
}

static inline const char *rig_good(struct rig *rig, enum ticket_kind kind) {
    struct ticket ticket = rig_ticket(rig, kind);
    return rig_sign(rig, &ticket);
}

/* A connection to the door from that address of loopback. */
static inline int rig_connect_from(const struct rig *rig, uint32_t from) {
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(from)};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(door_port(rig->door)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&local, sizeof local), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static inline int rig_connect(const struct rig *rig) {
    return rig_connect_from(rig, INADDR_LOOPBACK);
}

static inline void rig_say(int fd, const char *text) {
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* `SALLY1 MODE ARGUMENT` and what is sent right behind it. */
static inline void rig_ask(int fd, const char *mode, const char *argument, const char *behind) {
    char line[2048];
    (void)snprintf(line, sizeof line, "SALLY1 %s %s\n%s", mode, argument, behind);
    rig_say(fd, line);
}

/* Exactly that many bytes (0: until the end); false: the end came first. */
static inline bool rig_read(struct rig *rig, int fd, char *to, size_t size, size_t want) {
    size_t n = 0;
    uint64_t give_up = os_monotonic_ms() + RIG_PATIENCE_MS;
    while (os_monotonic_ms() < give_up && (!want || n < want)) {
        ssize_t got = recv(fd, to + n, (want ? want : size - 1) - n, MSG_DONTWAIT);
        if (got > 0)
            n += (size_t)got;
        to[n] = '\0';
        if (got < 0 && errno == ECONNRESET && n)
            fail_msg("'%s' was followed by a reset, which could have overtaken it", to);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return !want;
        if (got < 0)
            rig_turn(rig);
    }
    if (n < want || !want)
        fail_msg("no more than '%s' within %d ms", to, RIG_PATIENCE_MS);
    return true;
}

static inline void rig_hears(struct rig *rig, int fd, const char *text) {
    char got[512];
    if (!rig_read(rig, fd, got, sizeof got, strlen(text)))
        fail_msg("'%s' is missing: the end came after '%s'", text, got);
    assert_string_equal(got, text);
}

/* The connection ends after exactly that. */
static inline void rig_ends_after(struct rig *rig, int fd, const char *text) {
    char got[512];
    (void)rig_read(rig, fd, got, sizeof got, 0);
    assert_string_equal(got, text);
    assert_int_equal(close(fd), 0);
}

/* What the service gets: the next connection to it. */
static inline int rig_accept(struct rig *rig) {
    uint64_t give_up = os_monotonic_ms() + RIG_PATIENCE_MS;
    while (os_monotonic_ms() < give_up) {
        int fd = accept4(rig->service, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            return fd;
        rig_turn(rig);
    }
    fail_msg("nobody came to the service");
    return -1;
}

static inline void rig_nobody_came(struct rig *rig) {
    rig_turn(rig);
    assert_int_equal(accept4(rig->service, NULL, NULL, SOCK_CLOEXEC), -1);
}

#endif
