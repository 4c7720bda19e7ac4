/* The relay's part in the race: its door is asked for the ways, and splices when none of them is quick enough; over SSH
 * it is asked when we have no key for its door yet. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "race.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/socket_line.h"

static void relay_fail(struct race *race, const char *reason) {
    cli_debug(race->cli, "relay: %s", reason);
    why_set(&race->relay_why, "%s", reason);
    net_close(&race->relay_fd);
    dialer_fini(&race->dialer);
    race->relay = RELAY_FAILED;
}

/* By its name, and at first also where it was last time. */
static void relay_dial(struct race *race) {
    const struct client *client = &race->cli->client;
    race->relay = RELAY_DIALING;
    race->line_len = 0;
    dialer_init(&race->dialer, client->host, client->port, race->moved ? "" : memory_relay(race->memory));
}

/* What answers does not answer as our relay does. Another machine may have its address now: true, when its name is to
 * be asked first. */
static bool relay_may_have_moved(struct race *race) {
    struct net_address numeric;
    bool remembered = strcmp(race->relay_address, memory_relay(race->memory)) == 0 &&
                      net_parse(race->cli->client.host, race->cli->client.port, &numeric) != 0;
    if (race->moved || !remembered)
        return false;
    cli_debug(race->cli, "relay: %s does not answer as it should, looking for it by its name", race->relay_address);
    race->moved = true;
    net_close(&race->relay_fd);
    relay_dial(race);
    return true;
}

void relay_begin(struct race *race) {
    race->relay_fd = -1;
    race->child_fd = -1;
    race->has_key = asking_init(&race->asking, race->cli) == 0;
    relay_dial(race);
    if (!race->has_key)
        relay_ask_by_ssh(race);
}

static void relay_ask(struct race *race) {
    struct ask ask = {.punch = false};
    struct buf line;
    buf_init(&line);
    (void)str_copy(ask.box, sizeof ask.box, race->box);
    (void)str_copy(ask.service, sizeof ask.service, race->service);
    int rc = asking_question(&race->asking, race->cli, &ask, &line);
    if (!rc && send(race->relay_fd, buf_head(&line), buf_len(&line), 0) != (ssize_t)buf_len(&line))
        rc = SP_ECLOSED;
    buf_fini(&line);
    if (rc) {
        relay_fail(race, "the relay closed the connection");
        return;
    }
    cli_debug(race->cli, "relay: connected, asking for the ways to %s/%s", race->box, race->service);
    race->relay = RELAY_ASKING;
    race->relay_until = os_monotonic_ms() + RACE_ANSWER_MS;
    race->line_len = 0;
}

static void relay_connected(struct race *race, const struct net_address *address) {
    char network[INET6_ADDRSTRLEN];
    os_address_text(&address->at, race->relay_address);
    race->relay_until = UINT64_MAX;
    race->relay = RELAY_OPEN;
    if (!race->entry_known && net_own_address(address, network) == 0) {
        memory_find(race->memory, network, race->box, race->service, &race->entry);
        race->entry_known = true;
    }
    if (race->has_key && !race->answered && race->child_fd < 0)
        relay_ask(race);
}

/* What the relay has told, by whichever way it came. */
static void relay_answered(struct race *race) {
    race->answered = true;
    race->answered_at = os_monotonic_ms();
    if (race->answer.error[0])
        return;
    cli_debug(race->cli, "relay: %zu way%s to %s%s%s", race->answer.way_count, race->answer.way_count == 1 ? "" : "s",
              race->box, race->answer.reason[0] ? "; not direct: " : "", race->answer.reason);
    int64_t off = race->answer.server_time ? os_realtime_s() - race->answer.server_time : 0;
    if (off > 60 || off < -60)
        cli_debug(race->cli, "this machine's clock is %lld s %s the relay's: that does no harm here",
                  (long long)(off > 0 ? off : -off), off > 0 ? "ahead of" : "behind");
    for (size_t i = 0; i < race->answer.way_count; i++)
        ways_add(race, &race->answer.ways[i], race->answer.knock, true);
}

static void relay_take_answer(struct race *race, const struct door_answer *answer) {
    struct why why = {""};
    race->relay = RELAY_OPEN;
    race->relay_until = UINT64_MAX;
    if (answer->ok && asking_answer(&race->asking, answer->text, answer->len, &race->answer, &why) == 0) {
        if (race->answer.error[0] ||
            (strcmp(race->answer.box, race->box) == 0 && strcmp(race->answer.service, race->service) == 0)) {
            relay_answered(race);
            return;
        }
    }
    if (relay_may_have_moved(race))
        return;
    cli_debug(race->cli, "relay: its door does not know our key any more, asking over SSH");
    asking_forget(race->cli);
    relay_ask_by_ssh(race);
}

/* A line at the relay's door is whole: 0 with it; SP_EAGAIN, or the relay has failed. */
static int relay_line(struct race *race, struct door_answer *answer, const char *closed) {
    size_t used;
    int rc = socket_line_read(race->relay_fd, race->line, sizeof race->line, &race->line_len);
    if (rc == SP_EAGAIN)
        return rc;
    if (rc == 0)
        rc = door_answer_parse(race->line, race->line_len, answer, &used);
    if (rc && !relay_may_have_moved(race))
        relay_fail(race, closed);
    race->line_len = 0;
    return rc;
}

/* Everything that the child says has come. Its first letter tells how it went. */
static void child_ended(struct race *race) {
    const char *text = buf_string(&race->child_text);
    size_t len = buf_len(&race->child_text);
    net_close(&race->child_fd);
    (void)waitpid(race->child, NULL, 0);
    race->child_failed = true;
    if (len == 0) {
        why_set(&race->relay_why, "asking the relay over SSH failed");
    } else if (text[0] == '0' && len == 1 + sizeof race->answer) {
        memcpy(&race->answer, text + 1, sizeof race->answer);
        secret_wipe(race->answer.ask_key, sizeof race->answer.ask_key); /* the child has kept it */
        race->child_failed = false;
        relay_answered(race);
        return;
    } else if (text[0] == 'D') {
        (void)snprintf(race->answer.error, sizeof race->answer.error, "%s", text + 1);
        race->child_failed = false;
        relay_answered(race);
        return;
    } else {
        why_set(&race->relay_why, "%s", text + 1);
    }
    cli_debug(race->cli, "relay: %s", race->relay_why.text);
}

static void child_read(struct race *race) {
    uint8_t *tail;
    struct pollfd set = {.fd = race->child_fd, .events = POLLIN};
    if (poll(&set, 1, 0) <= 0 || buf_reserve(&race->child_text, 4096, &tail))
        return;
    ssize_t n = read(race->child_fd, tail, 4096);
    if (n > 0)
        buf_commit(&race->child_text, (size_t)n);
    else if (n == 0 || (errno != EINTR && errno != EAGAIN))
        child_ended(race);
}

void relay_step(struct race *race) {
    struct net_address address;
    struct door_answer answer;
    if (race->child_fd >= 0)
        child_read(race);
    if (race->relay == RELAY_DIALING) {
        int rc = dialer_step(&race->dialer, &race->relay_fd, &address);
        if (rc == 0)
            relay_connected(race, &address);
        else if (rc != SP_EAGAIN) {
            relay_fail(race, dialer_reason(&race->dialer));
            race->redialed = true; /* ssh would get no further */
        }
    }
    if (race->relay == RELAY_ASKING && relay_line(race, &answer, "the relay has no door, or closed it") == 0)
        relay_take_answer(race, &answer);
    if (race->relay == RELAY_OPEN && net_is_stale(race->relay_fd)) {
        net_close(&race->relay_fd); /* it waits 10 s for a question */
        if (race->redialed)
            relay_fail(race, "the relay closed the connection");
        else
            relay_dial(race);
        race->redialed = true;
    }
    if ((race->relay == RELAY_ASKING || race->relay == RELAY_RAW) && os_monotonic_ms() >= race->relay_until)
        relay_fail(race, "the relay does not answer");
}

void relay_wait(const struct race *race, struct net_waits *waits) {
    net_wait_fd(waits, race->child_fd, POLLIN);
    if (race->relay == RELAY_DIALING)
        dialer_wait(&race->dialer, waits);
    else if (race->relay != RELAY_FAILED) {
        net_wait_fd(waits, race->relay_fd, POLLIN);
        net_wait_until(waits, race->relay_until);
    }
}

void relay_splice(struct race *race) {
    cli_debug(race->cli, "relay: asking for the stream");
    if (door_say(race->relay_fd, DOOR_RAW, race->answer.relay_ticket)) {
        relay_fail(race, "the relay closed the connection");
        return;
    }
    race->relay = RELAY_RAW;
    race->relay_until = os_monotonic_ms() + RACE_ANSWER_MS;
    race->line_len = 0;
}

/* In the child: the letter and what belongs to it. */
static void child_run(const struct race *race, int fd) {
    struct ask ask = {.punch = false};
    struct answer answer;
    struct why why = {""};
    (void)str_copy(ask.box, sizeof ask.box, race->box);
    (void)str_copy(ask.service, sizeof ask.service, race->service);
    int rc = ask_relay(race->cli, &ask, &answer, &why);
    const char *letter = rc == 0 ? "0" : rc == SP_EDENIED ? "D" : "C";
    const void *bytes = rc == 0 ? (const void *)&answer : why.text[0] ? why.text : err_text(rc);
    size_t n = rc == 0 ? sizeof answer : strlen(bytes);
    bool sent = write(fd, letter, 1) == 1;
    for (size_t at = 0; sent && at < n;) {
        ssize_t some = write(fd, (const char *)bytes + at, n - at);
        sent = some > 0;
        at += sent ? (size_t)some : 0;
    }
    secret_wipe(&answer, sizeof answer);
    _exit(sent ? 0 : 1);
}

void relay_ask_by_ssh(struct race *race) {
    int pipes[2];
    cli_debug(race->cli, "relay: asking over SSH for the ways to %s/%s", race->box, race->service);
    if (pipe(pipes)) {
        why_set(&race->relay_why, "cannot ask over SSH: %s", strerror(errno));
        return;
    }
    (void)fcntl(pipes[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(pipes[1], F_SETFD, FD_CLOEXEC);
    pid_t child = fork();
    if (child == 0) {
        (void)close(pipes[0]);
        child_run(race, pipes[1]);
    }
    (void)close(pipes[1]);
    if (child < 0) {
        (void)close(pipes[0]);
        why_set(&race->relay_why, "cannot ask over SSH: %s", strerror(errno));
        return;
    }
    race->child = child;
    race->child_fd = pipes[0];
}
