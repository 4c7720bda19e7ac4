#include "after.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "punched.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/socket_line.h"

enum { REMEMBER_AGAIN_S = 3600, AFTER_MAX_S = 12 * 60 };

static bool is_own_way(enum route route) {
    return route == ROUTE_LAN || route == ROUTE_DIRECT;
}

static bool worth_punching(const struct race *race, const struct race_result *result) {
    int64_t since = os_realtime_s() - race->entry.punch_failed;
    if (is_own_way(result->route) || !race->answered || !race->answer.knock[0])
        return false;
    return race->entry.punch_failed == 0 || since > MEMORY_FAILED_S || since < 0;
}

/* Is there anything that is not known already? */
static bool is_needed(const struct race *race, const struct race_result *result) {
    const struct memory_entry *entry = &race->entry;
    if (!race->entry_known)
        return false;
    if (race->relay_address[0] && strcmp(race->relay_address, memory_relay(race->memory)) != 0)
        return true;
    if (entry->route != result->route || os_realtime_s() - entry->used > REMEMBER_AGAIN_S)
        return true;
    if (is_own_way(result->route) && !way_same(&entry->way, &race->ways[result->way].at))
        return true;
    for (size_t i = 0; i < race->way_count; i++) {
        const struct way *way = &race->ways[i];
        bool failed = way->phase == WAY_FAILED;
        if (way->route != ROUTE_PUNCHED && !(is_own_way(result->route) && i == result->way) &&
            failed != way->was_failed)
            return true;
    }
    return worth_punching(race, result);
}

/* Slower ways get the time that they have anyway. */
static void wait_for_ways(struct race *race) {
    for (;;) {
        struct net_waits waits;
        bool pending = false;
        ways_step(race);
        for (size_t i = 0; i < race->way_count; i++)
            pending = pending || race->ways[i].phase == WAY_CONNECTING || race->ways[i].phase == WAY_KNOCKING;
        if (!pending)
            return;
        net_waits_init(&waits, os_monotonic_ms() + RACE_WAY_MS);
        ways_wait(race, &waits);
        net_wait(&waits);
    }
}

static void take_way(struct memory_entry *entry, const struct way *way) {
    entry->way = way->at;
    (void)str_copy(entry->knock, sizeof entry->knock, way->knock);
    memory_clear_failed(entry, &way->at);
}

/* What is to be remembered; `ask` gets the failures that the relay does not know yet. */
static void draw_up(struct race *race, const struct race_result *result, struct ask *ask) {
    struct memory_entry *entry = &race->entry;
    int64_t now = os_realtime_s();
    entry->route = result->route;
    entry->used = now;
    bool found = is_own_way(result->route);
    if (found)
        take_way(entry, &race->ways[result->way]);
    for (size_t i = 0; i < race->way_count; i++) {
        const struct way *way = &race->ways[i];
        if (way->route == ROUTE_PUNCHED || (is_own_way(result->route) && i == result->way))
            continue;
        if (way->phase != WAY_FAILED) {
            memory_clear_failed(entry, &way->at);
            if (!found && way->phase == WAY_READY)
                take_way(entry, way);
            found = found || way->phase == WAY_READY;
            continue;
        }
        if (way_same(&entry->way, &way->at))
            entry->way = (struct answer_way){.port = 0};
        if (!way->was_failed && ask->failed_count < ASK_FAILED_MAX) {
            struct candidate *one = &ask->failed[ask->failed_count++];
            one->port = way->at.port;
            (void)str_copy(one->address, sizeof one->address, way->at.address);
        }
        memory_note_failed(entry, &way->at, now);
    }
}

static int wait_line(int fd, uint8_t *line, size_t size, size_t *n, uint64_t ms) {
    uint64_t until = os_monotonic_ms() + ms;
    *n = 0;
    for (;;) {
        int rc = socket_line_read(fd, line, size, n);
        uint64_t now = os_monotonic_ms();
        if (rc != SP_EAGAIN)
            return rc;
        if (now >= until)
            return SP_ETIMEOUT;
        struct pollfd set = {.fd = fd, .events = POLLIN};
        (void)poll(&set, 1, (int)(until - now));
    }
}

/* One question at the relay's door, on a connection of its own. */
static int ask_again(struct race *race, const struct ask *ask, struct answer *out) {
    struct dialer dialer;
    struct net_address address;
    struct buf question;
    struct door_answer said;
    int fd = -1, rc;
    size_t used;
    buf_init(&question);
    dialer_init(&dialer, race->cli->client.host, race->cli->client.port, race->relay_address);
    while ((rc = dialer_step(&dialer, &fd, &address)) == SP_EAGAIN) {
        struct net_waits waits;
        net_waits_init(&waits, os_monotonic_ms() + DIALER_MS);
        dialer_wait(&dialer, &waits);
        net_wait(&waits);
    }
    dialer_fini(&dialer);
    if (!rc)
        rc = asking_question(&race->asking, race->cli, ask, &question);
    if (!rc && send(fd, buf_head(&question), buf_len(&question), 0) != (ssize_t)buf_len(&question))
        rc = SP_ECLOSED;
    if (!rc)
        rc = wait_line(fd, race->line, sizeof race->line, &race->line_len, RACE_ANSWER_MS);
    if (!rc)
        rc = door_answer_parse(race->line, race->line_len, &said, &used);
    if (!rc)
        rc = said.ok ? asking_answer(&race->asking, said.text, said.len, out, NULL) : SP_EDENIED;
    net_close(&fd);
    buf_fini(&question);
    return rc;
}

static void after_run(struct race *race, const struct race_result *result) {
    struct ask ask = {.punch = false};
    struct answer answer = {.port = 0};
    wait_for_ways(race);
    draw_up(race, result, &ask);
    (void)memory_save(race->cli->state, &race->entry, race->relay_address);
    ask.punch = worth_punching(race, result) && race->entry.way.port == 0;
    if (!ask.punch && ask.failed_count == 0)
        return;
    if (!race->has_key && asking_init(&race->asking, race->cli)) /* the first answer came over SSH, and brought it */
        return;
    (void)str_copy(ask.box, sizeof ask.box, race->box);
    (void)str_copy(ask.service, sizeof ask.service, race->service);
    int rc = ask_again(race, &ask, &answer);
    if (!rc && ask.punch && answer.punch_ticket[0] && answer.knock[0] && punch_run(race->cli, &race->entry, &answer)) {
        race->entry.punch_failed = os_realtime_s();
        (void)memory_save(race->cli->state, &race->entry, race->relay_address);
    }
    secret_wipe(&answer, sizeof answer);
}

/* The child has no part in the stream, nor in anything that somebody waits for the end of: it keeps nothing open but the
 * ways that did not win. */
static void let_go(const struct race *race) {
    int ways[RACE_WAYS_MAX];
    for (size_t i = 0; i < race->way_count; i++)
        ways[i] = race->ways[i].fd;
    (void)setsid();
    process_forget(ways, race->way_count);
}

void after_start(struct race *race, const struct race_result *result) {
    if (!is_needed(race, result))
        return;
    (void)signal(SIGCHLD, SIG_IGN); /* nobody waits for it */
    pid_t child = fork();
    if (child != 0)
        return;
    let_go(race);
    (void)alarm(AFTER_MAX_S); /* whatever happens */
    race->cli->verbose = false;
    after_run(race, result);
    _exit(0);
}
