#include "tickets.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/signing.h"

enum { USES_MAX = 65536 }; /* within 30 s: nobody opens 2000 streams a second */

struct tickets {
    struct signing_key *key;
    struct ticket_uses *uses;
    uint8_t seed[SIGNING_SEED_SIZE];
};

static int seed_make(const char *path, uint8_t seed[static SIGNING_SEED_SIZE], struct why *why) {
    int rc = secret_random(seed, SIGNING_SEED_SIZE);
    if (rc == 0)
        rc = os_write_file(path, seed, SIGNING_SEED_SIZE, 0600);
    if (rc < 0)
        why_set(why, "cannot write %s: %s", path, err_text(rc));
    return rc;
}

static int seed_load(const char *path, uint8_t seed[static SIGNING_SEED_SIZE], struct why *why) {
    struct buf bytes;
    buf_init(&bytes);
    int rc = os_read_file(path, SIGNING_SEED_SIZE, &bytes);
    if (rc == SP_ESYS && errno == ENOENT) {
        rc = seed_make(path, seed, why);
    } else if (rc == SP_ETOOBIG || (rc == 0 && buf_len(&bytes) != SIGNING_SEED_SIZE)) {
        why_set(why, "%s is damaged: it should have %d bytes. Remove it, and a new one is made", path,
                SIGNING_SEED_SIZE);
        rc = SP_EFORMAT;
    } else if (rc < 0) {
        why_set(why, "cannot read %s: %s", path, err_text(rc));
    } else {
        memcpy(seed, buf_head(&bytes), SIGNING_SEED_SIZE);
    }
    buf_wipe(&bytes);
    return rc;
}

int tickets_open(const char *state, struct tickets **out, struct why *why) {
    char path[4200];
    struct tickets *tickets = calloc(1, sizeof *tickets);
    if (!tickets)
        return SP_ENOMEM;
    int rc = os_path(path, sizeof path, state, "ticket_key");
    if (rc == 0)
        rc = seed_load(path, tickets->seed, why);
    if (rc == 0)
        rc = signing_key_new(tickets->seed, &tickets->key);
    if (rc == 0)
        rc = ticket_uses_new(USES_MAX, &tickets->uses);
    if (rc < 0) {
        tickets_free(tickets);
        return rc;
    }
    *out = tickets;
    return 0;
}

void tickets_free(struct tickets *tickets) {
    if (!tickets)
        return;
    signing_key_free(tickets->key);
    ticket_uses_free(tickets->uses);
    secret_wipe(tickets->seed, sizeof tickets->seed);
    free(tickets);
}

const uint8_t *tickets_public(const struct tickets *tickets) {
    return signing_key_public(tickets->key);
}

enum ticket_side ticket_side(const struct ticket *ticket) {
    return ticket->id[TICKET_ID_SIZE - 1] & 1 ? TICKET_OF_MACHINE : TICKET_OF_USER;
}

int tickets_issue(const struct tickets *tickets, enum ticket_side side, struct ticket *ticket, int64_t now,
                  char text[static TICKET_TEXT_SIZE]) {
    uint8_t body[TICKET_BODY_MAX], signature[SIGNING_SIGNATURE_SIZE];
    size_t n = 0;
    ticket->expires = now + TICKET_LIFE_S;
    int rc = secret_random(ticket->id, sizeof ticket->id);
    ticket->id[TICKET_ID_SIZE - 1] = (uint8_t)((ticket->id[TICKET_ID_SIZE - 1] & 0xfe) | (side == TICKET_OF_MACHINE));
    if (rc == 0)
        rc = ticket_pack(ticket, body, &n);
    if (rc == 0)
        rc = signing_sign(tickets->key, TICKET_PURPOSE, body, n, signature);
    return rc < 0 ? rc : ticket_to_text(body, n, signature, text);
}

static int ticket_read(const struct tickets *tickets, const char *text, struct ticket *out) {
    uint8_t body[TICKET_BODY_MAX], signature[SIGNING_SIGNATURE_SIZE];
    size_t n;
    int rc = ticket_from_text(text, body, &n, signature);
    if (rc == 0)
        rc = signing_check(tickets_public(tickets), TICKET_PURPOSE, body, n, signature);
    return rc < 0 ? rc : ticket_unpack(body, n, out);
}

int tickets_redeem(struct tickets *tickets, const char *text, enum ticket_kind kind, int64_t now, struct ticket *out,
                   struct why *why) {
    int rc = ticket_read(tickets, text, out);
    if (rc < 0) {
        why_set(why, "this is no ticket of this relay");
        return rc;
    }
    if (out->kind != kind) {
        why_set(why, "this ticket is for something else");
        return SP_EDENIED;
    }
    rc = ticket_use(tickets->uses, out, now);
    if (rc == SP_EEXIST)
        why_set(why, "this ticket was used already: ask for a new one");
    else if (rc == SP_EEXPIRED)
        why_set(why, "this ticket has expired: ask for a new one");
    else if (rc < 0)
        why_set(why, "too many tickets at once: try again in a moment");
    return rc;
}

int tickets_ask_key(const struct tickets *tickets, int64_t user_id, const char *fingerprint,
                    uint8_t key[static SEALED_KEY_SIZE]) {
    char message[128];
    int n = snprintf(message, sizeof message, "sallyport ask %" PRId64 " %s", user_id, fingerprint);
    return n < 0 || (size_t)n >= sizeof message ? SP_ECRYPTO : signing_mac(tickets->seed, message, (size_t)n, key);
}
