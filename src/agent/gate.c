#include "gate.h"

#include <stdlib.h>
#include <string.h>

#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/signing.h"

enum { USES_MAX = 4096, ENDED_MAX = 64, CLOCK_SLACK_S = 1 };

/* A right that ended while tickets for it may still be about. */
struct ended {
    char user[SP_NAME_SIZE];
    char service[SP_NAME_SIZE]; /* "": all of his */
    int64_t at;                 /* by the relay's clock */
};

struct gate {
    const struct relay_clock *clock;
    uint64_t began_ms;
    uint8_t machine[TICKET_MACHINE_SIZE];
    bool trusts;
    uint8_t key[SIGNING_PUBLIC_SIZE];
    struct ticket_uses *uses;
    struct ended ended[ENDED_MAX];
    size_t ended_count;
    int64_t all_ended_at; /* more ended than can be remembered: this counts for everybody */
};

int gate_new(const uint8_t machine[static TICKET_MACHINE_SIZE], const struct relay_clock *clock, uint64_t began_ms,
             struct gate **out) {
    struct gate *gate = calloc(1, sizeof *gate);
    if (!gate)
        return SP_ENOMEM;
    int rc = ticket_uses_new(USES_MAX, &gate->uses);
    if (rc < 0) {
        free(gate);
        return rc;
    }
    gate->clock = clock;
    gate->began_ms = began_ms;
    memcpy(gate->machine, machine, sizeof gate->machine);
    *out = gate;
    return 0;
}

void gate_free(struct gate *gate) {
    if (!gate)
        return;
    ticket_uses_free(gate->uses);
    free(gate);
}

void gate_trust(struct gate *gate, const uint8_t ticket_key[static 32]) {
    memcpy(gate->key, ticket_key, sizeof gate->key);
    gate->trusts = true;
}

/* Takes the text apart and checks what must hold before its holder is told anything. */
static int gate_read(const struct gate *gate, enum ticket_kind kind, const char *text, size_t len, struct ticket *out) {
    char copy[TICKET_TEXT_SIZE];
    uint8_t body[TICKET_BODY_MAX], signature[TICKET_SIGNATURE_SIZE];
    size_t n = 0;
    if (!gate->trusts || !gate->clock->known || len >= sizeof copy)
        return SP_ECRYPTO;
    memcpy(copy, text, len);
    copy[len] = '\0';
    int rc = ticket_from_text(copy, body, &n, signature);
    if (rc == 0)
        rc = signing_check(gate->key, TICKET_PURPOSE, body, n, signature);
    if (rc == 0)
        rc = ticket_unpack(body, n, out);
    if (rc == 0 && (out->kind != kind || !secret_equal(out->machine, gate->machine, sizeof gate->machine)))
        rc = SP_ECRYPTO;
    secret_wipe(copy, sizeof copy);
    return rc;
}

/* Was it made before what it is for ended? `made` is when, by the relay's clock. */
static bool gate_has_ended(const struct gate *gate, const struct ticket *ticket, int64_t made) {
    if (made <= gate->all_ended_at)
        return true;
    for (size_t i = 0; i < gate->ended_count; i++) {
        const struct ended *ended = &gate->ended[i];
        if (made <= ended->at && strcmp(ended->user, ticket->user) == 0 &&
            (!ended->service[0] || !ticket->service[0] || strcmp(ended->service, ticket->service) == 0))
            return true;
    }
    return false;
}

int gate_check(struct gate *gate, enum ticket_kind kind, const char *text, size_t len, struct ticket *out,
               struct why *why) {
    struct ticket ticket;
    int rc = gate_read(gate, kind, text, len, &ticket);
    if (rc != 0)
        return SP_ECRYPTO;
    int64_t now = relay_clock_at(gate->clock, os_boottime_ms());
    int64_t made = ticket.expires - TICKET_LIFE_S;
    if (made < relay_clock_at(gate->clock, gate->began_ms)) {
        why_set(why, "this ticket is older than this door: ask for a new one");
        return SP_EEXPIRED;
    }
    if (gate_has_ended(gate, &ticket, made)) {
        why_set(why, "the right to this has ended");
        return SP_EDENIED;
    }
    rc = ticket_use(gate->uses, &ticket, now);
    if (rc == SP_EEXPIRED)
        why_set(why, "this ticket has expired: ask for a new one");
    else if (rc == SP_EEXIST)
        why_set(why, "this ticket was used already");
    else if (rc < 0)
        why_set(why, "too many tickets at once: try again later");
    else
        *out = ticket;
    return rc;
}

void gate_end(struct gate *gate, const char *user, const char *service) {
    int64_t now = relay_clock_at(gate->clock, os_boottime_ms());
    size_t kept = 0;
    for (size_t i = 0; i < gate->ended_count; i++)
        if (gate->ended[i].at + TICKET_LIFE_S >= now)
            gate->ended[kept++] = gate->ended[i];
    gate->ended_count = kept;
    if (kept == ENDED_MAX) {
        gate->all_ended_at = now + CLOCK_SLACK_S;
        return;
    }
    struct ended *ended = &gate->ended[gate->ended_count++];
    ended->at = now + CLOCK_SLACK_S;
    (void)str_copy(ended->user, sizeof ended->user, user);
    (void)str_copy(ended->service, sizeof ended->service, service);
}
