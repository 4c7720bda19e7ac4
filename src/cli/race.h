/* The race of the ways to a service: the same network and direct ones together, the relay's splice a moment later, the
 * trunk last; the first that works carries the stream. */
#ifndef SALLYPORT_CLI_RACE_H
#define SALLYPORT_CLI_RACE_H

#include "asking.h"
#include "cli_local.h"
#include "memory.h"
#include "net.h"
#include "sallyport/wire/door.h"

enum {
    RACE_WAYS_MAX = CANDIDATES_MAX + 2,
    RACE_WAY_MS = 5000,     /* to connect to a door, and again for its answer */
    RACE_ANSWER_MS = 12000, /* for the relay's answers: it waits 10 s for the machine */
    RACE_HEAD_START_MS = 200,
    RACE_KNOCK_MS = 300, /* more for a way that is connected already */
    RACE_DOOR_LINE_MAX = 1024,
};

enum way_phase {
    WAY_CONNECTING,
    WAY_KNOCKING,
    WAY_READY, /* it is the right door (or sshd) */
    WAY_RAW,   /* the ticket is sent, the answer awaited */
    WAY_FAILED,
};

struct way {
    struct answer_way at;
    enum route route;
    enum way_phase phase;
    bool listed;     /* the relay's answer has it */
    bool was_failed; /* not long ago: not waited for */
    char knock[23];
    int fd;
    uint64_t until;
    uint8_t line[RACE_DOOR_LINE_MAX];
    size_t line_len;
};

enum relay_phase {
    RELAY_DIALING,
    RELAY_ASKING, /* the question is sent */
    RELAY_OPEN,   /* connected, nothing asked at the moment */
    RELAY_RAW,    /* the ticket is sent, `ok` is awaited */
    RELAY_FAILED,
};

struct race {
    struct cli *cli;
    const char *box, *service;
    bool hurry; /* the socket may be handed on before the machine's door has answered: ssh skips that line */

    struct memory *memory;
    struct memory_entry entry; /* of this network */
    bool entry_known;          /* the network is known */
    char relay_address[INET6_ADDRSTRLEN];

    struct way ways[RACE_WAYS_MAX];
    size_t way_count;

    struct dialer dialer;
    enum relay_phase relay;
    int relay_fd;
    uint64_t relay_until;
    bool redialed;
    bool moved; /* it is no longer where it was last time */
    struct why relay_why;
    uint8_t line[DOOR_ANSWER_MAX];
    size_t line_len;

    struct asking asking;
    bool has_key;
    int child_fd; /* what the asking over SSH brings; -1: there is none */
    pid_t child;
    struct buf child_text;
    bool child_failed; /* there is nobody left to ask */

    struct answer answer;
    bool answered;
    bool learned; /* what the answer brings is kept, and the machine's host keys are as they were */
    uint64_t answered_at;
    bool ticket_used; /* the one for the machine's door */
};

/* How it ended. */
struct race_result {
    int fd;           /* connected, the caller's; -1: by the trunk, or not at all */
    enum route route; /* ROUTE_NONE for the trunk */
    size_t way;       /* which, for ROUTE_LAN, ROUTE_DIRECT and ROUTE_PUNCHED */
    bool trunk;
};

void race_init(struct race *race, struct cli *cli, const char *box, const char *service, bool hurry);
void race_fini(struct race *race);
/* Runs until something works. SP_EDENIED, SP_ECLOSED ... with why for people. */
int race_run(struct race *race, struct race_result *out, struct why *why);

/* race_ways.c */
/* Adds a way, or notes that the relay names one that is there. */
void ways_add(struct race *race, const struct answer_way *at, const char *knock, bool listed);
/* Adds a connection that has answered its knock before. Takes it over. */
void ways_add_punched(struct race *race, int fd);
/* Takes each as far as it goes. */
void ways_step(struct race *race);
void ways_wait(const struct race *race, struct net_waits *waits);
/* A way that carries the stream now: 0, with *which and its descriptor, which is the caller's; else SP_EAGAIN. */
int ways_win(struct race *race, size_t *which, int *fd);
/* When the relay's splice may begin: 0 when nothing is worth waiting for. */
uint64_t ways_head_start(const struct race *race);
bool ways_alive(const struct race *race);

/* race_relay.c */
void relay_begin(struct race *race);
void relay_step(struct race *race);
void relay_wait(const struct race *race, struct net_waits *waits);
/* Asks for the splice. */
void relay_splice(struct race *race);
/* Starts to ask over SSH. */
void relay_ask_by_ssh(struct race *race);
/* The whole line to a fresh socket; SP_ECLOSED when it does not take it. */
int door_say(int fd, enum door_mode mode, const char *argument);

#endif
