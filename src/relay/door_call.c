/* From a ticket to the machine that it is for: what it allows now, and how the machine is called to the door. */
#include <stdio.h>
#include <string.h>

#include "door_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/fingerprint.h"

const struct service *door_service(const struct machine_live *live, const struct policy_subject *subject,
                                   const char *name) {
    for (size_t i = 0; i < live->forward_count; i++) {
        const struct service *service = &live->forwards[i];
        struct policy_request go = {.action = ACTION_REACH_SERVICE, .machine_id = live->id, .service = service->name};
        if (service->kind == SERVICE_SSH && (!name[0] || strcmp(service->name, name) == 0) &&
            policy_allows(subject, &go))
            return service;
    }
    return NULL;
}

void door_object(struct relay *relay, const struct ticket *ticket, char to[static DOOR_OBJECT_SIZE]) {
    char print[FINGERPRINT_TEXT_SIZE];
    struct key_owner owner = {.kind = KEY_OWNER_NONE};
    fingerprint_text(ticket->machine, print);
    if (store_key_find(relay->store, print, &owner) < 0 || owner.kind != KEY_OWNER_MACHINE)
        (void)str_copy(owner.name, sizeof owner.name, "?");
    (void)snprintf(to, DOOR_OBJECT_SIZE, "%s/%s", owner.name, ticket->service);
}

/* The machine whose key the ticket names, if it is that key's connection that is there. */
static struct machine_live *find_live(struct relay *relay, const struct ticket *ticket) {
    char print[FINGERPRINT_TEXT_SIZE];
    struct key_owner owner;
    fingerprint_text(ticket->machine, print);
    if (store_key_find(relay->store, print, &owner) < 0 || owner.kind != KEY_OWNER_MACHINE)
        return NULL;
    struct machine_live *live = machine_find(relay, owner.id);
    return live && memcmp(live->print, ticket->machine, sizeof live->print) == 0 ? live : NULL;
}

int door_check(struct relay *relay, const struct ticket *ticket, struct door_right *out, struct why *why) {
    struct policy_subject subject = {0};
    struct door_right right = {.live = find_live(relay, ticket)};
    if (!right.live) {
        why_set(why, "the machine is offline");
        return SP_EBUSY;
    }
    if (store_user_find(relay->store, ticket->user, &right.user) < 0 ||
        store_user_subject(relay->store, right.user.id, &subject) < 0)
        subject.kind = SUBJECT_NOBODY;
    else if (relay_was_lost(relay, right.user.id, ticket->expires - TICKET_LIFE_S))
        subject.disabled = true;
    const struct service *service = door_service(right.live, &subject, ticket->service);
    policy_subject_fini(&subject);
    if (!service) {
        why_set(why, "%s has no service %s that you may reach", right.live->name,
                ticket->service[0] ? ticket->service : "of kind ssh");
        return SP_EDENIED;
    }
    if (ticket->service[0] && !service->up) {
        why_set(why, "the service %s of %s is down at the moment", service->name, right.live->name);
        return SP_EBUSY;
    }
    *out = right;
    return 0;
}

/* One person, or one machine, must not take all the places. */
static int check_room(struct door *door, const struct door_right *right, struct why *why) {
    struct list *node, *tmp;
    size_t all = 0, user = 0, machine = 0;
    list_foreach (node, tmp, &door->waiting) {
        const struct wait *wait = list_item(node, const struct wait, link);
        all++;
        user += wait->user_id == right->user.id;
        machine += wait->machine_id == right->live->id;
    }
    if (all < WAITS_MAX && user < WAITS_PER_USER && user + spliced_of(door, right->user.id) < SPLICED_PER_USER &&
        machine < WAITS_PER_MACHINE && door->spliced_count < door->spliced_max)
        return 0;
    why_set(why, "too many streams are being opened: try again in a moment");
    return SP_EBUSY;
}

int door_call(struct caller *caller, enum ticket_kind kind, const struct ticket *shown, const struct door_right *right,
              struct why *why) {
    struct relay *relay = caller->door->relay;
    struct wait *wait = &caller->wait;
    struct ticket ticket = {.kind = kind};
    struct link_call call = {.ticket = ""};
    if (!right->live->reach.can_fetch) {
        why_set(why, "the agent of %s does not come to the relay's door", right->live->name);
        return SP_EBUSY;
    }
    int rc = check_room(caller->door, right, why);
    if (rc < 0)
        return rc;
    memcpy(ticket.machine, right->live->print, sizeof ticket.machine);
    memcpy(ticket.user, shown->user, sizeof ticket.user);
    memcpy(ticket.service, shown->service, sizeof ticket.service);
    rc = tickets_issue(relay->tickets, TICKET_OF_MACHINE, &ticket, os_realtime_s(), call.ticket);
    memcpy(call.user, ticket.user, sizeof call.user);
    memcpy(call.service, ticket.service, sizeof call.service);
    if (rc == 0)
        rc = link_call(right->live, kind == TICKET_SERVE ? LINK_OPEN : LINK_PUNCH, &call);
    wait->kind = kind;
    wait->user_id = right->user.id;
    wait->machine_id = right->live->id;
    memcpy(wait->id, ticket.id, sizeof wait->id);
    memcpy(wait->print, ticket.machine, sizeof wait->print);
    memcpy(wait->user, ticket.user, sizeof wait->user);
    memcpy(wait->service, ticket.service, sizeof wait->service);
    (void)str_copy(wait->machine, sizeof wait->machine, right->live->name);
    if (rc == 0)
        rc = caller_wait(caller);
    if (rc < 0)
        why_set(why, "%s cannot be called to the door: %s", right->live->name, err_text(rc));
    return rc;
}

struct caller *door_waiting(struct door *door, const struct ticket *ticket) {
    struct list *node, *tmp;
    list_foreach (node, tmp, &door->waiting) {
        struct wait *wait = list_item(node, struct wait, link);
        if (wait->kind == ticket->kind && memcmp(wait->id, ticket->id, sizeof wait->id) == 0 &&
            memcmp(wait->print, ticket->machine, sizeof wait->print) == 0)
            return list_item(wait, struct caller, wait);
    }
    return NULL;
}

void door_machine_gone(struct door *door, int64_t machine_id) {
    struct list *node, *tmp;
    list_foreach (node, tmp, &door->waiting) {
        struct wait *wait = list_item(node, struct wait, link);
        if (wait->machine_id == machine_id)
            caller_say(list_item(wait, struct caller, wait), false, "the machine has lost its connection", true);
    }
}
