#include "race.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "punched.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/socket_line.h"

/* The way that worked last time on this network is begun before anything is known. */
static void begin_remembered(struct race *race) {
    struct net_address relay;
    const char *last = memory_relay(race->memory);
    const char *numeric = race->cli->client.host;
    int fd;
    if (net_parse(numeric, race->cli->client.port, &relay) && net_parse(last, race->cli->client.port, &relay))
        return;
    char network[INET6_ADDRSTRLEN];
    struct memory_entry *entry = &race->entry;
    if (net_own_address(&relay, network))
        return;
    memory_find(race->memory, network, race->box, race->service, entry);
    race->entry_known = true;
    cli_debug(race->cli, "network %s, last way to %s/%s there: %s", entry->network, race->box, race->service,
              entry->route ? route_name(entry->route) : "none");
    if (punched_take(race->cli->state, entry, &fd) == 0) {
        cli_debug(race->cli, "punched: a connection is kept, using it");
        ways_add_punched(race, fd);
    }
    if (entry->way.port)
        ways_add(race, &entry->way, entry->knock, false);
}

void race_init(struct race *race, struct cli *cli, const char *box, const char *service, bool hurry) {
    memset(race, 0, sizeof *race);
    race->cli = cli;
    race->box = box;
    race->service = service;
    race->hurry = hurry;
    race->child_fd = -1;
    race->relay_fd = -1;
    race->dialer.lookup = -1;
    buf_init(&race->child_text);
}

void race_fini(struct race *race) {
    for (size_t i = 0; i < race->way_count; i++)
        net_close(&race->ways[i].fd);
    net_close(&race->relay_fd);
    dialer_fini(&race->dialer);
    if (race->child_fd >= 0) {
        net_close(&race->child_fd);
        (void)kill(race->child, SIGTERM);
        (void)waitpid(race->child, NULL, 0);
    }
    buf_wipe(&race->child_text);
    memory_free(race->memory);
    asking_fini(&race->asking);
    secret_wipe(&race->answer, sizeof race->answer);
    race->memory = NULL;
    race->way_count = 0;
}

/* The relay's own stream: 0 when it is there. */
static int splice_step(struct race *race, struct race_result *result) {
    struct door_answer answer;
    size_t used;
    if (race->relay == RELAY_OPEN && race->answer.relay_ticket[0] &&
        os_monotonic_ms() >= race->answered_at + ways_head_start(race))
        relay_splice(race);
    if (race->relay != RELAY_RAW)
        return SP_EAGAIN;
    int rc = socket_line_read(race->relay_fd, race->line, sizeof race->line, &race->line_len);
    if (rc == SP_EAGAIN)
        return rc;
    if (!rc)
        rc = door_answer_parse(race->line, race->line_len, &answer, &used);
    if (!rc && answer.ok) {
        *result = (struct race_result){.fd = race->relay_fd, .route = ROUTE_RELAYED};
        race->relay_fd = -1;
        return 0;
    }
    if (rc)
        why_set(&race->relay_why, "the relay closed the connection");
    else
        why_set(&race->relay_why, "the relay says: %.*s", (int)(answer.len < 400 ? answer.len : 400), answer.text);
    cli_debug(race->cli, "relay: %s", race->relay_why.text);
    net_close(&race->relay_fd);
    race->relay = RELAY_FAILED;
    return SP_EAGAIN;
}

/* The relay cannot be asked, and there is nothing more to wait for: sshd at a remembered place may do without it. */
static int without_relay(struct race *race, struct race_result *result, struct why *why) {
    for (size_t i = 0; i < race->way_count; i++) {
        struct way *way = &race->ways[i];
        if (way->phase == WAY_CONNECTING && way->at.to_sshd)
            return SP_EAGAIN;
        if (way->phase == WAY_READY && way->at.to_sshd) {
            *result = (struct race_result){.fd = way->fd, .route = way->route, .way = i};
            way->fd = -1;
            return 0;
        }
    }
    const struct client *client = &race->cli->client;
    if (str_starts(race->relay_why.text, "the relay"))
        why_set(why, "%s", race->relay_why.text);
    else
        why_set(why, "the relay %s port %u cannot be reached: %s", client->host, (unsigned)client->port,
                race->relay_why.text[0] ? race->relay_why.text : "no answer");
    return SP_ECLOSED;
}

/* Everything that could still win, once. */
static int race_step(struct race *race, struct race_result *result, struct why *why) {
    relay_step(race);
    ways_step(race);
    if (race->answered && race->answer.error[0]) {
        cli_reword(race->answer.error);
        why_set(why, "%s", race->answer.error);
        return SP_EDENIED;
    }
    if (race->answered && !race->learned) {
        int rc = asking_learn(race->cli, &race->answer, why);
        if (rc)
            return rc;
        race->learned = true;
    }
    if (ways_win(race, &result->way, &result->fd) == 0) {
        result->route = race->ways[result->way].route;
        return 0;
    }
    if (!race->answered) {
        if (race->child_failed)
            return without_relay(race, result, why);
        if (race->relay == RELAY_FAILED && race->has_key && race->child_fd < 0 && !race->redialed) {
            /* Its door may be out of order, or it is an older relay: over SSH it says more. */
            race->redialed = true;
            relay_ask_by_ssh(race);
        }
        bool asking = race->child_fd >= 0 || (race->has_key && race->relay != RELAY_FAILED);
        return asking ? SP_EAGAIN : without_relay(race, result, why);
    }
    if (splice_step(race, result) == 0)
        return 0;
    bool splice = race->relay != RELAY_FAILED && race->answer.relay_ticket[0];
    if (splice || ways_alive(race))
        return SP_EAGAIN;
    cli_debug(race->cli, "no other way: through the relay's SSH");
    *result = (struct race_result){.fd = -1, .trunk = true};
    return 0;
}

int race_run(struct race *race, struct race_result *out, struct why *why) {
    struct race_result result = {.fd = -1};
    int rc = memory_load(race->cli->state, &race->memory);
    if (rc)
        return rc;
    begin_remembered(race);
    relay_begin(race);
    while ((rc = race_step(race, &result, why)) == SP_EAGAIN) {
        struct net_waits waits;
        net_waits_init(&waits, os_monotonic_ms() + RACE_ANSWER_MS);
        ways_wait(race, &waits);
        relay_wait(race, &waits);
        if (race->answered && race->relay == RELAY_OPEN && race->answer.relay_ticket[0])
            net_wait_until(&waits, race->answered_at + ways_head_start(race));
        net_wait(&waits);
    }
    if (rc == 0)
        *out = result;
    return rc;
}
