/* Alerts: what is wrong with a machine, found in its statuses and in time passing; each begins once and ends once. */
#ifndef SALLYPORT_DOMAIN_ALERT_H
#define SALLYPORT_DOMAIN_ALERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/alert_settings.h"
#include "sallyport/domain/claim.h"
#include "sallyport/domain/status.h"

#define ALERT_OBJECT_SIZE 256
#define ALERT_KEY_SIZE 352
#define ALERT_TEXT_SIZE 384

struct alert {
    enum alert_kind kind;
    char key[ALERT_KEY_SIZE];       /* what it stays with: a GPU's id, a mount, a disk; "" for the machine */
    char object[ALERT_OBJECT_SIZE]; /* how that is called now: "gpu0", "/data" */
    int64_t since;                  /* UTC seconds */
    char text[ALERT_TEXT_SIZE];     /* for people, without a full stop: "GPU 0 is at 91 degrees Celsius (limit 87)" */
    /* Names, "" for none. Whom it concerns; the other one. Of a claim: who has it, and who uses the GPU; of a job: whose
     * it was. With both "" it is for everybody who may see the machine. */
    char who[64], other[64];
};

enum alert_turn {
    ALERT_ON,      /* it has begun */
    ALERT_OFF,     /* it is over: `text` says so now */
    ALERT_DROPPED, /* it counts no more (nobody wants that kind, the claim is gone): nobody need be told */
    ALERT_HAPPENED /* it came and went at once: the end of a job */
};

/* Of one machine: what is on, what is about to be, what was counted. All zero is empty. */
#define ALERT_ITEMS_MAX 256
struct alert_item;
struct alert_state {
    struct alert_item *items; /* owned */
    size_t count, capacity;
    int64_t minute; /* events are bounded: so many in this minute */
    unsigned events;
};
void alert_state_fini(struct alert_state *state);
/* One that was on when the relay ended; nothing is told. 0, SP_ENOMEM, SP_ETOOBIG. */
int alert_state_restore(struct alert_state *state, const struct alert *alert);
/* Walks those that are on: *cursor is 0 at first; NULL at the end. Borrows, until the state changes. */
const struct alert *alert_state_next(const struct alert_state *state, size_t *cursor);

/* What an alert is found in. All borrowed. */
struct alert_view {
    const struct alert_settings *settings;
    int64_t now; /* UTC seconds */
    const struct claim *claims;
    size_t claim_count;
    /* Called for each alert that turns; the alert is valid during the call. */
    void (*turned)(void *ctx, const struct alert *alert, enum alert_turn turn);
    void *ctx;
};
/* A status has come. Each kind turns on at its threshold (some only after a while), and off well below it and after a
 * while. Bounded: ALERT_ITEMS_MAX, ten events a minute. What cannot be noted for want of memory is left out. */
void alert_look_status(struct alert_state *state, const struct alert_view *view, const struct status *status);
/* Time has passed: for offline and for claims that end. `missed_since`: UTC seconds since when the machine is missed (it
 * may lie ahead), 0 while it is there, sleeps, or has never been there; `left`: when it was there last. */
void alert_look_time(struct alert_state *state, const struct alert_view *view, int64_t missed_since, int64_t left);

/* Does it wait for nobody, neither for quiet hours? A lost GPU and a failing disk. */
bool alert_is_urgent(enum alert_kind kind);
/* Is its end told, too? */
bool alert_tells_end(enum alert_kind kind);
/* In a few words, for a title: "GPU hot". */
const char *alert_kind_words(enum alert_kind kind);

#endif
