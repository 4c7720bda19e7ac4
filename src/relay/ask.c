/* Which ways lead to a service: the answer to `ask` at the door and to the verb `ticket`. */
#include <stdio.h>
#include <string.h>

#include "door_local.h"
#include "proof.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/view.h"

enum { PROOF_GOOD_S = 15 * 60 };

/* Ticket of that kind for this asker; "" stays when it cannot be made. */
static void issue(struct relay *relay, const struct asker *asker, const struct machine_live *live, const char *service,
                  enum ticket_kind kind, char to[static TICKET_TEXT_SIZE]) {
    struct ticket ticket = {.kind = kind};
    memcpy(ticket.machine, live->print, sizeof ticket.machine);
    (void)str_copy(ticket.user, sizeof ticket.user, asker->name);
    if (kind != TICKET_PUNCH)
        (void)str_copy(ticket.service, sizeof ticket.service, service);
    int rc = tickets_issue(relay->tickets, TICKET_OF_USER, &ticket, os_realtime_s(), to);
    if (rc < 0)
        log_error("no ticket for %s: %s", asker->name, err_text(rc));
}

static bool has_failed(const struct ask *ask, const struct candidate *candidate) {
    for (size_t i = 0; i < ask->failed_count; i++) {
        if (ask->failed[i].port == candidate->port && strcmp(ask->failed[i].address, candidate->address) == 0)
            return true;
    }
    return false;
}

/* Does it lead there without leaving the asker's own network? A machine elsewhere must not send anybody into his. */
static bool is_near(const struct asker *asker, const struct machine_live *live, const struct candidate *candidate,
                    bool proved) {
    if (!asker->address[0])
        return false;
    bool at_home = candidate_same_network(asker->address, live->observed);
    if (candidate->kind == CANDIDATE_IPV6)
        return (proved || at_home) && candidate_same_network(asker->address, candidate->address);
    return candidate->kind == CANDIDATE_LAN && at_home;
}

static void add_way(struct answer *answer, const struct candidate *candidate, bool lan) {
    struct answer_way *way = &answer->ways[answer->way_count++];
    way->lan = lan;
    way->port = candidate->port;
    way->to_sshd = candidate->to_sshd;
    memcpy(way->address, candidate->address, sizeof way->address);
}

/* Addresses at home are for those who are there; all others have to be proved. Says whether one leads there directly. */
static bool add_ways(struct relay *relay, struct machine_live *live, const struct asker *asker, const struct ask *ask,
                     struct answer *answer) {
    bool direct = false;
    int64_t now = os_realtime_s();
    for (size_t i = 0; i < live->reach.count; i++) {
        const struct candidate *candidate = &live->reach.list[i];
        if (has_failed(ask, candidate)) {
            if (candidate->kind != CANDIDATE_LAN)
                proofs_again(relay->proofs, live, i);
            continue;
        }
        bool proved = candidate->kind != CANDIDATE_LAN && candidate->state == CANDIDATE_VERIFIED &&
                      now - candidate->checked < PROOF_GOOD_S;
        bool near = is_near(asker, live, candidate, proved);
        direct |= proved;
        if (proved || near)
            add_way(answer, candidate, near);
    }
    return direct;
}

static void say_reason(const struct machine_live *live, struct answer *answer) {
    struct view_reach reach = {.candidates = live->reach.list,
                               .count = live->reach.count,
                               .trouble = live->reach.trouble,
                               .can_fetch = live->reach.can_fetch};
    const char *text = view_reach_reason(&reach);
    (void)snprintf(answer->reason, sizeof answer->reason, "%s",
                   text[0] ? text
                           : "the last proof of the machine's door is too old, or you did not get through there");
}

static void add_tickets(struct relay *relay, struct machine_live *live, const struct asker *asker,
                        const struct ask *ask, struct answer *answer) {
    bool direct = add_ways(relay, live, asker, ask, answer);
    if (!direct)
        say_reason(live, answer);
    if (live->reach.has_door) {
        memcpy(answer->knock, live->reach.knock, sizeof answer->knock);
        issue(relay, asker, live, answer->service, TICKET_STREAM, answer->door_ticket);
    }
    if (live->reach.can_fetch)
        issue(relay, asker, live, answer->service, TICKET_STREAM, answer->relay_ticket);
    if (live->reach.can_fetch && live->reach.has_door && ask->punch && !direct)
        issue(relay, asker, live, "", TICKET_PUNCH, answer->punch_ticket);
}

static void add_host_keys(const struct machine_live *live, struct answer *answer) {
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < live->host_key_count && answer->host_key_count < ASK_HOST_KEYS_MAX; i++) {
            if (str_starts(live->host_keys[i], "ssh-ed25519 ") == (pass == 0) &&
                str_copy(answer->host_keys[answer->host_key_count], ASK_HOST_KEY_SIZE, live->host_keys[i]) == 0)
                answer->host_key_count++;
        }
    }
}

/* The service by its name; what he may not reach does not exist. */
static const struct service *find_service(const struct machine_live *live, const struct asker *asker, const char *name,
                                          struct why *why) {
    const struct service *service = service_find(live->forwards, live->forward_count, name);
    struct policy_request go = {.action = ACTION_REACH_SERVICE, .machine_id = live->id, .service = name};
    if (service && !policy_allows(asker->subject, &go))
        service = NULL;
    if (service && service->up)
        return service;
    if (service && !service->found)
        why_set(why, "the service %s of %s is down at the moment", service->name, live->name);
    else if (!reach_say_named(live, asker->subject, name, 0, why))
        why_set(why, "%s publishes no service '%s' that you may reach: `ssh RELAY status %s` shows what it has",
                live->name, name, live->name);
    return NULL;
}

static struct machine_live *find_live(struct relay *relay, const struct asker *asker, const char *box,
                                      const char *service_name, const struct service **service, struct why *why) {
    struct machine machine;
    if (reach_find_machine(relay, asker->subject, box, &machine, why) < 0)
        return NULL;
    struct machine_live *live = machine_find(relay, machine.id);
    if (!live) {
        machine_say_offline(&machine, os_realtime_s(), why);
        return NULL;
    }
    *service = find_service(live, asker, service_name, why);
    return *service ? live : NULL;
}

static void add_ask_key(const struct relay *relay, const struct asker *asker, struct answer *answer) {
    uint8_t key[SEALED_KEY_SIZE];
    if (!asker->fingerprint || tickets_ask_key(relay->tickets, asker->subject->id, asker->fingerprint, key) < 0)
        return;
    base64url_encode(answer->ask_key, key, sizeof key);
    secret_wipe(key, sizeof key);
}

void ask_answer(struct relay *relay, const struct asker *asker, const struct ask *ask, struct answer *out) {
    struct why why = {""};
    char object[SP_NAME_SIZE * 2 + 8];
    const char *name = ask->service[0] ? ask->service : "ssh";
    const struct service *service = NULL;
    memset(out, 0, sizeof *out);
    struct machine_live *live = find_live(relay, asker, ask->box, name, &service, &why);
    (void)snprintf(object, sizeof object, "%.31s/%.31s", ask->box, name);
    relay_audit(relay, asker->name, "ticket", object, live ? "ok" : "refused", live ? asker->address : why.text);
    if (!live) {
        relay->counters.asks_refused++;
        (void)snprintf(out->error, sizeof out->error, "%.*s", (int)str_cut(why.text, strlen(why.text), 255), why.text);
        return;
    }
    relay->counters.asks_answered++;
    (void)str_copy(out->box, sizeof out->box, live->name);
    (void)str_copy(out->service, sizeof out->service, service->name);
    (void)str_copy(out->kind, sizeof out->kind, service_kind_name(service->kind));
    (void)str_copy(out->observed_address, sizeof out->observed_address, asker->address);
    out->port = service->port;
    out->server_time = os_realtime_s();
    add_host_keys(live, out);
    add_ask_key(relay, asker, out);
    if (service->kind == SERVICE_SSH && asker->subject->kind == SUBJECT_USER)
        add_tickets(relay, live, asker, ask, out);
    else
        (void)str_copy(out->reason, sizeof out->reason,
                       "only services of kind ssh have a direct way: use `sallyport forward` for others");
}

int ask_run(void *ctx, const struct verb_actor *actor, const char *name, const struct policy_subject *subject,
            const char *box, const char *service, struct buf *out, struct why *why) {
    struct asker asker = {
        .name = name, .subject = subject, .fingerprint = actor->fingerprint, .address = actor->address};
    struct ask ask = {.punch = true};
    struct answer answer;
    if (str_copy(ask.box, sizeof ask.box, box) < 0 || str_copy(ask.service, sizeof ask.service, service) < 0) {
        why_set(why, "there is no machine of such a name");
        return SP_ENOENT;
    }
    ask_answer(ctx, &asker, &ask, &answer);
    int rc = answer_format(out, &answer);
    if (rc == 0)
        rc = buf_append(out, "\n", 1);
    if (rc == 0 && answer.error[0]) {
        why_set(why, "%s", answer.error);
        rc = SP_ENOENT;
    }
    secret_wipe(&answer, sizeof answer);
    return rc;
}
