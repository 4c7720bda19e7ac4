/* The ways without the relay: doors of machines (docs/PROTOCOL.md section 7), or sshd itself. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "race.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/socket_line.h"

static void way_fail(struct race *race, struct way *way, const char *reason) {
    cli_debug(race->cli, "%s %s port %u: %s", route_name(way->route), way->at.address, (unsigned)way->at.port, reason);
    net_close(&way->fd);
    way->phase = WAY_FAILED;
}

static void way_begin(struct race *race, struct way *way) {
    struct net_address address;
    way->phase = WAY_CONNECTING;
    way->until = os_monotonic_ms() + RACE_WAY_MS;
    way->line_len = 0;
    cli_debug(race->cli, "%s %s port %u: connecting", route_name(way->route), way->at.address, (unsigned)way->at.port);
    if (net_parse(way->at.address, way->at.port, &address))
        way_fail(race, way, "no address");
    else if (net_connect(&address, &way->fd))
        way_fail(race, way, strerror(errno));
}

static struct way *ways_find(struct race *race, const struct answer_way *at) {
    for (size_t i = 0; i < race->way_count; i++) {
        if (race->ways[i].route != ROUTE_PUNCHED && way_same(&race->ways[i].at, at))
            return &race->ways[i];
    }
    return NULL;
}

void ways_add(struct race *race, const struct answer_way *at, const char *knock, bool listed) {
    struct way *way = ways_find(race, at);
    enum address_scope scope = address_scope(at->address);
    bool again = way && strcmp(way->knock, knock) != 0 && !at->to_sshd;
    if (!at->to_sshd && !knock[0])
        return;
    /* The relay proves public addresses only, and nobody is sent to services of his own machine. */
    if (scope < ADDRESS_PRIVATE || (!at->lan && scope != ADDRESS_PUBLIC)) {
        cli_debug(race->cli, "%s port %u: an address that is %s, left alone", at->address, (unsigned)at->port,
                  address_scope_words(scope));
        return;
    }
    if (way && !again) {
        way->listed = way->listed || listed;
        return;
    }
    if (!way && race->way_count == RACE_WAYS_MAX)
        return;
    if (!way)
        way = &race->ways[race->way_count++];
    else if (way->phase != WAY_FAILED)
        way_fail(race, way, "the door has another secret now");
    *way = (struct way){.at = *at, .route = at->lan ? ROUTE_LAN : ROUTE_DIRECT, .listed = listed, .fd = -1};
    way->was_failed = memory_has_failed(&race->entry, at, os_realtime_s());
    (void)str_copy(way->knock, sizeof way->knock, knock);
    way_begin(race, way);
}

void ways_add_punched(struct race *race, int fd) {
    if (race->way_count == RACE_WAYS_MAX) {
        net_close(&fd);
        return;
    }
    struct way *way = &race->ways[race->way_count++];
    *way = (struct way){.route = ROUTE_PUNCHED, .phase = WAY_READY, .fd = fd, .until = UINT64_MAX};
    (void)str_copy(way->at.address, sizeof way->at.address, "kept");
}

int door_say(int fd, enum door_mode mode, const char *argument) {
    struct buf line;
    buf_init(&line);
    int rc = door_line_format(&line, mode, argument);
    if (!rc && send(fd, buf_head(&line), buf_len(&line), 0) != (ssize_t)buf_len(&line))
        rc = SP_ECLOSED;
    buf_wipe(&line);
    return rc;
}

static void way_connected(struct race *race, struct way *way) {
    int rc = net_connected(way->fd);
    if (rc == SP_EAGAIN)
        return;
    if (rc) {
        way_fail(race, way, strerror(errno));
    } else if (way->at.to_sshd) {
        cli_debug(race->cli, "%s %s port %u: connected to sshd", route_name(way->route), way->at.address,
                  (unsigned)way->at.port);
        way->phase = WAY_READY;
        way->until = UINT64_MAX;
    } else if (door_say(way->fd, DOOR_KNOCK, way->knock)) {
        way_fail(race, way, "the connection was closed");
    } else {
        cli_debug(race->cli, "%s %s port %u: connected, knocking", route_name(way->route), way->at.address,
                  (unsigned)way->at.port);
        way->phase = WAY_KNOCKING;
        way->until = os_monotonic_ms() + RACE_WAY_MS;
    }
}

/* The door's line: 0 for ok, SP_EAGAIN, or it has failed. */
static int way_answer(struct race *race, struct way *way, const char *closed) {
    struct door_answer answer;
    size_t used;
    int rc = socket_line_read(way->fd, way->line, sizeof way->line, &way->line_len);
    if (rc == SP_EAGAIN)
        return rc;
    if (rc || door_answer_parse(way->line, way->line_len, &answer, &used)) {
        way_fail(race, way, rc ? closed : "that is no door of ours");
        return SP_ECLOSED;
    }
    way->line_len = 0;
    if (!answer.ok) {
        char said[200];
        (void)snprintf(said, sizeof said, "the door says no: %.*s", (int)(answer.len < 160 ? answer.len : 160),
                       answer.text);
        way_fail(race, way, said);
        return SP_EDENIED;
    }
    return 0;
}

static void way_step(struct race *race, struct way *way, uint64_t now) {
    if (way->phase == WAY_CONNECTING)
        way_connected(race, way);
    if (way->phase == WAY_KNOCKING && way_answer(race, way, "the door does not know us, or it is another one") == 0) {
        cli_debug(race->cli, "%s %s port %u: the right door", route_name(way->route), way->at.address,
                  (unsigned)way->at.port);
        way->phase = WAY_READY;
        way->until = UINT64_MAX;
    }
    if (way->phase == WAY_READY && !way->at.to_sshd && net_is_stale(way->fd))
        way_fail(race, way, "the door has closed");
    if ((way->phase == WAY_CONNECTING || way->phase == WAY_KNOCKING || way->phase == WAY_RAW) && now >= way->until)
        way_fail(race, way, "no answer");
}

void ways_step(struct race *race) {
    uint64_t now = os_monotonic_ms();
    for (size_t i = 0; i < race->way_count; i++)
        way_step(race, &race->ways[i], now);
}

void ways_wait(const struct race *race, struct net_waits *waits) {
    for (size_t i = 0; i < race->way_count; i++) {
        const struct way *way = &race->ways[i];
        if (way->phase == WAY_FAILED)
            continue;
        /* What sshd says first is for ssh. */
        if (way->phase != WAY_READY || !way->at.to_sshd)
            net_wait_fd(waits, way->fd, way->phase == WAY_CONNECTING ? POLLOUT : POLLIN);
        net_wait_until(waits, way->until);
    }
}

/* Sends the ticket to a door that is the right one. There is one ticket, so one door gets it. */
static void way_raw(struct race *race, struct way *way) {
    if (race->ticket_used || !race->answer.door_ticket[0])
        return;
    race->ticket_used = true;
    if (door_say(way->fd, DOOR_RAW, race->answer.door_ticket)) {
        way_fail(race, way, "the connection was closed");
        return;
    }
    way->phase = WAY_RAW;
    way->until = os_monotonic_ms() + RACE_WAY_MS;
}

int ways_win(struct race *race, size_t *which, int *fd) {
    for (size_t i = 0; i < race->way_count; i++) {
        struct way *way = &race->ways[i];
        bool won = false;
        if (way->phase == WAY_READY && way->at.to_sshd)
            won = way->listed; /* its host key is checked by ssh, but another machine's would be no way at all */
        else if (way->phase == WAY_READY && race->answered) {
            way_raw(race, way);
            won = way->phase == WAY_RAW && race->hurry;
        }
        if (way->phase == WAY_RAW && !won)
            won = way_answer(race, way, "the door has closed") == 0;
        if (!won)
            continue;
        *which = i;
        *fd = way->fd;
        way->fd = -1;
        return 0;
    }
    return SP_EAGAIN;
}

bool ways_alive(const struct race *race) {
    for (size_t i = 0; i < race->way_count; i++) {
        const struct way *way = &race->ways[i];
        bool useless = way->phase == WAY_READY && race->answered &&
                       (way->at.to_sshd ? !way->listed : race->ticket_used || !race->answer.door_ticket[0]);
        if (way->phase != WAY_FAILED && !useless)
            return true;
    }
    return false;
}

uint64_t ways_head_start(const struct race *race) {
    uint64_t most = 0;
    for (size_t i = 0; i < race->way_count; i++) {
        const struct way *way = &race->ways[i];
        if (way->phase == WAY_FAILED || way->was_failed)
            continue;
        uint64_t start = RACE_HEAD_START_MS + (way->phase == WAY_CONNECTING ? 0 : RACE_KNOCK_MS);
        most = start > most ? start : most;
    }
    return most;
}
