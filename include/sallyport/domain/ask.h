/* What a client asks the relay about the ways to a service, and the answer (docs/PROTOCOL.md section 7): JSON. */
#ifndef SALLYPORT_DOMAIN_ASK_H
#define SALLYPORT_DOMAIN_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"
#include "sallyport/domain/candidate.h"
#include "sallyport/domain/name.h"
#include "sallyport/domain/ticket.h"

enum {
    ASK_FAILED_MAX = 4,
    ASK_HOST_KEYS_MAX = 4,
    ASK_HOST_KEY_SIZE = 1024,
    ASK_TEXT_MAX = 12288, /* bytes of a question or an answer: what can be sealed */
};

/* {"box":"box1","service":"ssh","failed":[{"address":"203.0.113.5","port":40022}],"punch":true} */
struct ask {
    char box[SP_NAME_SIZE];
    char service[SP_NAME_SIZE];
    struct candidate failed[ASK_FAILED_MAX]; /* address and port only: where no door answered a moment ago */
    size_t failed_count;
    bool punch; /* a punch ticket is wanted, too */
};

struct answer_way {
    bool lan; /* else direct */
    char address[INET6_ADDRSTRLEN];
    uint16_t port;
    bool to_sshd; /* connect, that is all: no door, no ticket */
};

/* {"box","service","kind":"ssh","port":22,"ways":[{"route":"lan"|"direct","address","port","to":"door"|"sshd"}],
 *  "knock","door_ticket","relay_ticket","punch_ticket","reason","host_keys":[],"observed_address","server_time",
 *  "ask_key"}   or   {"error":"a sentence"} */
struct answer {
    char error[256]; /* "" or why there is no answer; then nothing else counts */
    char box[SP_NAME_SIZE], service[SP_NAME_SIZE];
    char kind[8];
    uint16_t port; /* of the service on the machine */
    struct answer_way ways[CANDIDATES_MAX];
    size_t way_count;
    char knock[23];                      /* "" when no door is known */
    char door_ticket[TICKET_TEXT_SIZE];  /* for the machine's door; may be "" */
    char relay_ticket[TICKET_TEXT_SIZE]; /* for the relay's door; "" when the agent cannot fetch streams */
    char punch_ticket[TICKET_TEXT_SIZE]; /* may be "" */
    char reason[CANDIDATE_TEXT_SIZE];    /* why there is no direct way; "" when there is one */
    char host_keys[ASK_HOST_KEYS_MAX][ASK_HOST_KEY_SIZE]; /* lines as in a .pub file */
    size_t host_key_count;
    char observed_address[INET6_ADDRSTRLEN]; /* of the client */
    int64_t server_time;
    char ask_key[44]; /* base64url of 32 bytes; over SSH only, else "" */
};

/* Read what came from outside; unknown members are ignored. SP_EFORMAT with why, SP_ENOMEM. */
int ask_parse(const char *text, size_t len, struct ask *out, struct why *why);
int answer_parse(const char *text, size_t len, struct answer *out, struct why *why);
/* Append one line without its \n. SP_ENOMEM, SP_EINVAL. */
int ask_format(struct buf *out, const struct ask *ask);
int answer_format(struct buf *out, const struct answer *answer);

#endif
