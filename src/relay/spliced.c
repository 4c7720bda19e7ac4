/* Streams that a machine fetches at the door and that are joined there, in the kernel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "door_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/keepalive.h"
#include "sallyport/wire/splice.h"

static const char ok_line[] = "SALLY1 ok\n";

/* A user's socket and a machine's. */
struct spliced {
    struct list link; /* in door->spliced */
    struct door *door;
    int64_t user_id, machine_id;
    char user[SP_NAME_SIZE], machine[SP_NAME_SIZE], service[SP_NAME_SIZE];
    struct splice *splice;
};

static void spliced_done(void *ctx) {
    struct spliced *spliced = ctx;
    struct relay_counters *counters = &spliced->door->relay->counters;
    uint64_t to_machine, from_machine;
    splice_count(spliced->splice, &to_machine, &from_machine);
    counters->spliced_to_machines_bytes += to_machine;
    counters->spliced_from_machines_bytes += from_machine;
    spliced->door->spliced_count--;
    list_remove(&spliced->link);
    free(spliced);
}

static void refuse(struct caller *caller, const struct ticket *ticket, const char *text) {
    struct relay *relay = caller->door->relay;
    char object[DOOR_OBJECT_SIZE];
    door_object(relay, ticket, object);
    relay->counters.spliced_refused++;
    relay_audit(relay, ticket->user, "reach", object, "refused", text);
    log_info("%s from %s was refused %s at the door: %s", ticket->user, caller->text, object, text);
    caller_say(caller, false, text, true);
}

void door_raw(struct caller *caller, const char *argument) {
    struct relay *relay = caller->door->relay;
    struct door_right right;
    struct ticket ticket;
    struct why why = {""};
    char object[DOOR_OBJECT_SIZE];
    int rc = tickets_redeem(relay->tickets, argument, TICKET_STREAM, os_realtime_s(), &ticket, &why);
    if (rc == SP_EFORMAT || rc == SP_ECRYPTO) {
        relay->counters.spliced_refused++;
        caller_say(caller, false, why.text, true);
        return;
    }
    if (rc == 0)
        rc = door_check(relay, &ticket, &right, &why);
    if (rc == 0)
        rc = door_call(caller, TICKET_SERVE, &ticket, &right, &why);
    if (rc < 0) {
        refuse(caller, &ticket, why.text);
        return;
    }
    door_object(relay, &ticket, object);
    relay_audit(relay, ticket.user, "reach", object, "ok", caller->text);
}

/* Fresh sockets take a line at once, or are not worth waiting for. */
static bool say_ok(int fd) {
    return send(fd, ok_line, sizeof ok_line - 1, MSG_NOSIGNAL) == (ssize_t)sizeof ok_line - 1;
}

/* Both callers are gone afterwards. */
static void join(struct caller *user, struct caller *machine) {
    struct door *door = user->door;
    struct relay *relay = door->relay;
    struct spliced *spliced = calloc(1, sizeof *spliced);
    struct wait wait = user->wait;
    int a = caller_take(user), b = caller_take(machine);
    int rc = spliced ? 0 : SP_ENOMEM;
    /* A laptop may be stopped, and a service take nothing, for as long as they like: no TCP_USER_TIMEOUT, which would
     * count a closed window, too. */
    keepalive_set(a, PERSON_IDLE_S);
    keepalive_set(b, MACHINE_IDLE_S);
    if (rc == 0 && (!say_ok(a) || !say_ok(b)))
        rc = SP_ECLOSED;
    if (rc == 0)
        rc = splice_new(relay->loop, a, b, spliced_done, spliced, &spliced->splice);
    if (rc < 0) {
        log_warn("%s's stream to %s of %s cannot be spliced: %s", wait.user, wait.service, wait.machine, err_text(rc));
        relay->counters.spliced_refused++;
        (void)close(a);
        (void)close(b);
        free(spliced);
        return;
    }
    spliced->door = door;
    spliced->user_id = wait.user_id;
    spliced->machine_id = wait.machine_id;
    memcpy(spliced->user, wait.user, sizeof spliced->user);
    memcpy(spliced->machine, wait.machine, sizeof spliced->machine);
    memcpy(spliced->service, wait.service, sizeof spliced->service);
    list_append(&door->spliced, &spliced->link);
    door->spliced_count++;
    relay->counters.spliced_opened++;
}

void door_serve(struct caller *caller, const char *argument) {
    struct relay *relay = caller->door->relay;
    struct door_right right;
    struct ticket ticket;
    struct why why = {""};
    int rc = tickets_redeem(relay->tickets, argument, TICKET_SERVE, os_realtime_s(), &ticket, &why);
    struct caller *user = rc == 0 ? door_waiting(caller->door, &ticket) : NULL;
    if (!user) {
        caller_say(caller, false, rc < 0 ? why.text : "nobody waits for this stream any more", true);
        return;
    }
    /* Rights may have ended while the machine was called. */
    if (door_check(relay, &ticket, &right, &why) < 0) {
        refuse(user, &ticket, why.text);
        caller_say(caller, false, "nobody waits for this stream any more", true);
        return;
    }
    join(user, caller);
}

void spliced_check_rights(struct door *door) {
    struct list *node, *tmp;
    list_foreach (node, tmp, &door->spliced) {
        struct spliced *spliced = list_item(node, struct spliced, link);
        struct policy_subject subject = {0};
        struct machine machine;
        struct policy_request go = {
            .action = ACTION_REACH_SERVICE, .machine_id = spliced->machine_id, .service = spliced->service};
        int rc = store_user_subject(door->relay->store, spliced->user_id, &subject);
        bool allowed = rc == SP_ESYS || policy_allows(&subject, &go); /* SP_ESYS: the disk, not the right */
        policy_subject_fini(&subject);
        if (allowed && store_machine_get(door->relay->store, spliced->machine_id, &machine) != SP_ENOENT)
            continue;
        log_info("%s may not reach %s of %s any more: the stream is ended", spliced->user, spliced->service,
                 spliced->machine);
        splice_close(spliced->splice);
    }
}

size_t spliced_of(struct door *door, int64_t user_id) {
    struct list *node, *tmp;
    size_t count = 0;
    list_foreach (node, tmp, &door->spliced)
        count += list_item(node, struct spliced, link)->user_id == user_id;
    return count;
}

void spliced_end_user(struct door *door, int64_t user_id) {
    struct list *node, *tmp;
    list_foreach (node, tmp, &door->spliced) {
        struct spliced *spliced = list_item(node, struct spliced, link);
        if (spliced->user_id == user_id)
            splice_close(spliced->splice);
    }
    list_foreach (node, tmp, &door->waiting) {
        struct wait *wait = list_item(node, struct wait, link);
        if (wait->user_id == user_id)
            caller_drop(list_item(wait, struct caller, wait));
    }
}

void spliced_hang_up(struct door *door) {
    struct list *node, *tmp;
    list_foreach (node, tmp, &door->spliced)
        splice_close(list_item(node, struct spliced, link)->splice);
}

void spliced_count(struct door *door, struct relay_counters *out) {
    struct list *node, *tmp;
    list_foreach (node, tmp, &door->spliced) {
        const struct spliced *spliced = list_item(node, const struct spliced, link);
        uint64_t to_machine, from_machine;
        splice_count(spliced->splice, &to_machine, &from_machine);
        out->spliced_open++;
        out->spliced_to_machines_bytes += to_machine;
        out->spliced_from_machines_bytes += from_machine;
    }
}
