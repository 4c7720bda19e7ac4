/* When which candidate is proved, and what becomes of the result. */
#include "proof.h"

#include <stdlib.h>
#include <string.h>

#include "door_local.h"
#include "proof_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/pubkey.h"

enum {
    RUNNING_MAX = 32,
    RUNNING_PER_MACHINE = 2,
    BURST = 12,        /* so many proofs of a machine at once ... */
    REFILL_MS = 10000, /* ... and then one in so long a time: nobody scans a network through us */
    AGAIN_MS = 10 * 60 * 1000,
    SOON_MS = 15000, /* after a first failure: routers take a moment */
    REPORT_MS = 10000,
    LOOK_MS = 1000,
};
#define NEVER UINT64_MAX

struct running {
    struct list link;
    struct proofs *proofs;
    int64_t machine_id;
    uint8_t door_key[32];
    struct candidate candidate;
    struct proof *proof;
};

struct proofs {
    struct relay *relay;
    struct own *own;
    struct list running;
    size_t count;
    bool stopped;
    struct loop_timer look;
};

static void proofs_look(void *ctx);

static struct candidate *find_candidate(struct machine_live *live, const struct candidate *wanted) {
    for (size_t i = 0; live && i < live->reach.count; i++) {
        struct candidate *candidate = &live->reach.list[i];
        if (candidate_same(candidate, wanted) && candidate->to_sshd == wanted->to_sshd)
            return candidate;
    }
    return NULL;
}

/* Notes what was found, tells the machine and those who look at it. */
static void settle(struct proofs *proofs, struct machine_live *live, struct candidate *candidate,
                   enum candidate_state state, const char *text) {
    size_t i = (size_t)(candidate - live->reach.list);
    bool first = state == CANDIDATE_FAILED && candidate->state != CANDIDATE_FAILED;
    if (candidate->state != state || strcmp(candidate->text, text) != 0)
        log_info("%s: %s port %u %s%s%s", live->name, candidate->address, candidate->port, candidate_state_name(state),
                 text[0] ? ": " : "", text);
    candidate->state = state;
    candidate->checked = os_realtime_s();
    (void)str_copy(candidate->text, sizeof candidate->text, text);
    live->prove_at[i] = loop_now(proofs->relay->loop) + (first ? SOON_MS : AGAIN_MS);
    if (state == CANDIDATE_VERIFIED)
        proofs->relay->counters.proofs_verified++;
    else
        proofs->relay->counters.proofs_failed++;
    link_tell_verify(live);
    relay_machines_changed(proofs->relay);
}

static void proved(void *ctx, enum candidate_state state, const char *text) {
    struct running *running = ctx;
    struct proofs *proofs = running->proofs;
    struct machine_live *live = machine_find(proofs->relay, running->machine_id);
    struct candidate *candidate = find_candidate(live, &running->candidate);
    /* An agent that was started anew has another door: what was found is not about that one. */
    if (candidate && memcmp(live->reach.door_key, running->door_key, sizeof running->door_key) != 0)
        candidate = NULL;
    list_remove(&running->link);
    proofs->count--;
    if (candidate)
        settle(proofs, live, candidate, state, text);
    free(running);
    proofs_look(proofs);
}

static size_t running_of(struct proofs *proofs, int64_t machine_id, const struct candidate *candidate, bool *same) {
    struct list *node, *tmp;
    size_t count = 0;
    *same = false;
    list_foreach (node, tmp, &proofs->running) {
        const struct running *running = list_item(node, struct running, link);
        count += running->machine_id == machine_id;
        *same |= running->machine_id == machine_id && candidate_same(&running->candidate, candidate);
    }
    return count;
}

/* The host key that sshd will show: its Ed25519 one when it has one, else the first. */
static void find_host_key(const struct machine_live *live, char to[static 64]) {
    struct pubkey key;
    for (size_t i = 0; i < live->host_key_count; i++) {
        if (pubkey_parse(live->host_keys[i], &key, NULL) < 0)
            continue;
        if (!to[0] || strcmp(key.type, "ssh-ed25519") == 0)
            memcpy(to, key.fingerprint, sizeof key.fingerprint);
    }
}

static int start(struct proofs *proofs, struct machine_live *live, const struct candidate *candidate) {
    struct running *running = calloc(1, sizeof *running);
    struct ticket ticket = {.kind = TICKET_PROVE};
    if (!running)
        return SP_ENOMEM;
    struct proof_config config = {.relay = proofs->relay, .candidate = *candidate, .done = proved, .ctx = running};
    memcpy(config.door_key, live->reach.door_key, sizeof config.door_key);
    memcpy(ticket.machine, live->print, sizeof ticket.machine);
    find_host_key(live, config.host_fingerprint);
    running->proofs = proofs;
    running->machine_id = live->id;
    running->candidate = *candidate;
    memcpy(running->door_key, live->reach.door_key, sizeof running->door_key);
    int rc = tickets_issue(proofs->relay->tickets, TICKET_OF_MACHINE, &ticket, os_realtime_s(), config.ticket);
    if (rc == 0)
        rc = proof_start(&config, &running->proof);
    if (rc < 0) {
        free(running);
        return rc;
    }
    list_append(&proofs->running, &running->link);
    proofs->count++;
    return 0;
}

static bool may_spend(struct machine_live *live, uint64_t now) {
    while (live->proofs_spent && now - live->proofs_refilled >= REFILL_MS) {
        live->proofs_spent--;
        live->proofs_refilled += REFILL_MS;
    }
    if (!live->proofs_spent)
        live->proofs_refilled = now;
    return live->proofs_spent < BURST;
}

/* Proves those of its candidates whose time has come, as far as there is room. */
static void look_at(struct proofs *proofs, struct machine_live *live, const char *const *own) {
    uint64_t now = loop_now(proofs->relay->loop);
    for (size_t i = 0; i < live->reach.count && proofs->count < RUNNING_MAX; i++) {
        struct candidate *candidate = &live->reach.list[i];
        struct why why = {""};
        bool same;
        if (live->prove_at[i] > now || !may_spend(live, now))
            continue;
        if (running_of(proofs, live->id, candidate, &same) >= RUNNING_PER_MACHINE || same)
            continue;
        live->prove_at[i] = now + AGAIN_MS;
        live->proofs_spent++;
        if (candidate_may_prove(candidate, live->observed, own, &why) < 0) {
            why.text[sizeof candidate->text - 1] = '\0';
            settle(proofs, live, candidate, CANDIDATE_FAILED, why.text);
            live->prove_at[i] = NEVER;
            continue;
        }
        int rc = start(proofs, live, candidate);
        if (rc < 0)
            log_warn("cannot prove %s port %u of %s: %s", candidate->address, candidate->port, live->name,
                     err_text(rc));
    }
}

/* Is there anything to be proved? */
static bool any_due(const struct machine_live *live, uint64_t now) {
    for (size_t i = 0; i < live->reach.count; i++) {
        if (live->prove_at[i] <= now)
            return true;
    }
    return false;
}

static void proofs_look(void *ctx) {
    struct proofs *proofs = ctx;
    struct map *machines = proofs->relay->machines;
    uint64_t now = loop_now(proofs->relay->loop);
    const char *const *own = NULL;
    size_t cursor = 0;
    if (proofs->stopped)
        return;
    (void)loop_timer_set(&proofs->look, LOOK_MS);
    for (struct machine_live *live; (live = map_next(machines, &cursor, NULL));) {
        if (!any_due(live, now))
            continue;
        if (!own && !(own = own_list(proofs->own)))
            return;
        look_at(proofs, live, own);
    }
}

void proofs_take(struct proofs *proofs, struct machine_live *live, const struct link_reach *said) {
    struct link_reach old = live->reach;
    uint64_t due[CANDIDATES_MAX];
    bool same_door = old.has_door == said->has_door && memcmp(old.door_key, said->door_key, sizeof old.door_key) == 0;
    memcpy(due, live->prove_at, sizeof due);
    live->reach = *said;
    live->has_reach = true;
    for (size_t i = 0; i < said->count; i++) {
        struct candidate *now = &live->reach.list[i];
        now->state = CANDIDATE_UNCHECKED;
        now->checked = 0;
        now->text[0] = '\0';
        live->prove_at[i] = now->kind == CANDIDATE_LAN ? NEVER : 0;
        for (size_t j = 0; same_door && j < old.count; j++) {
            if (!candidate_same(now, &old.list[j]) || now->to_sshd != old.list[j].to_sshd)
                continue;
            now->state = old.list[j].state;
            now->checked = old.list[j].checked;
            memcpy(now->text, old.list[j].text, sizeof now->text);
            live->prove_at[i] = due[j];
        }
    }
    relay_machines_changed(proofs->relay);
    proofs_look(proofs);
}

void proofs_again(struct proofs *proofs, struct machine_live *live, size_t i) {
    uint64_t now = loop_now(proofs->relay->loop);
    if (live->prove_at[i] == NEVER || live->prove_at[i] <= now ||
        (live->proofs_reported && now - live->proofs_reported < REPORT_MS))
        return;
    live->proofs_reported = now;
    live->prove_at[i] = now;
    proofs_look(proofs);
}

int proofs_new(struct relay *relay, struct proofs **out) {
    struct proofs *proofs = calloc(1, sizeof *proofs);
    if (!proofs)
        return SP_ENOMEM;
    proofs->relay = relay;
    list_init(&proofs->running);
    loop_timer_init(relay->loop, &proofs->look, proofs_look, proofs);
    int rc = own_new(relay->loop, relay->host, &proofs->own);
    if (rc == 0)
        rc = loop_timer_set(&proofs->look, LOOK_MS);
    if (rc < 0) {
        proofs_free(proofs);
        return rc;
    }
    *out = proofs;
    return 0;
}

void proofs_stop(struct proofs *proofs) {
    struct list *node, *tmp;
    if (!proofs)
        return;
    proofs->stopped = true;
    loop_timer_stop(&proofs->look);
    list_foreach (node, tmp, &proofs->running) {
        struct running *running = list_item(node, struct running, link);
        proof_cancel(running->proof);
        list_remove(&running->link);
        free(running);
    }
}

void proofs_free(struct proofs *proofs) {
    if (!proofs)
        return;
    proofs_stop(proofs);
    own_free(proofs->own);
    free(proofs);
}
