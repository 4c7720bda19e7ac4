/* Two sides without a mapping meet at the door, and each is told where the other one is seen. */
#include <netinet/in.h>
#include <stdio.h>

#include "door_local.h"
#include "sallyport/base/os.h"
#include "sallyport/domain/candidate.h"

static uint16_t port_of(const struct sockaddr_storage *address) {
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)(const void *)address)->sin6_port
                                                : ((const struct sockaddr_in *)(const void *)address)->sin_port);
}

/* Nobody is sent into a network that he is not in, nor to an address of another family. */
static bool may_meet(const struct caller *a, const struct caller *b) {
    if (a->address.ss_family != b->address.ss_family)
        return false;
    return (address_scope(a->text) == ADDRESS_PUBLIC && address_scope(b->text) == ADDRESS_PUBLIC) ||
           candidate_same_network(a->text, b->text);
}

static void introduce(struct caller *user, struct caller *machine) {
    char of_user[INET6_ADDRSTRLEN + 8], of_machine[INET6_ADDRSTRLEN + 8];
    bool ok = may_meet(user, machine);
    (void)snprintf(of_user, sizeof of_user, "%s %u", user->text, port_of(&user->address));
    (void)snprintf(of_machine, sizeof of_machine, "%s %u", machine->text, port_of(&machine->address));
    log_info("%s and %s meet at the door: %s", user->wait.user, user->wait.machine,
             ok ? "both know where the other one is" : "neither can reach the other's address");
    caller_say(user, ok, ok ? of_machine : "the other side's address is none to connect to from yours", true);
    caller_say(machine, ok, ok ? of_user : "the other side's address is none to connect to from yours", true);
}

static void refuse(struct caller *caller, const char *text) {
    log_info("no meeting at the door for %s: %s", caller->text, text);
    caller_say(caller, false, text, true);
}

/* The machine was called: is somebody still waiting, who still may? */
static void meet(struct caller *caller, const struct ticket *ticket) {
    struct caller *user = door_waiting(caller->door, ticket);
    struct door_right right;
    struct why why = {""};
    if (!user) {
        refuse(caller, "nobody waits for this meeting any more");
    } else if (door_check(caller->door->relay, ticket, &right, &why) < 0) {
        refuse(user, why.text);
        refuse(caller, why.text);
    } else {
        introduce(user, caller);
    }
}

void door_punch(struct caller *caller, const char *argument) {
    struct relay *relay = caller->door->relay;
    struct door_right right;
    struct ticket ticket;
    struct why why = {""};
    int rc = tickets_redeem(relay->tickets, argument, TICKET_PUNCH, os_realtime_s(), &ticket, &why);
    if (rc == SP_EFORMAT || rc == SP_ECRYPTO) {
        caller_say(caller, false, why.text, true);
        return;
    }
    if (rc == 0 && ticket_side(&ticket) == TICKET_OF_MACHINE) {
        meet(caller, &ticket);
        return;
    }
    if (rc == 0)
        rc = door_check(relay, &ticket, &right, &why);
    if (rc == 0)
        rc = door_call(caller, TICKET_PUNCH, &ticket, &right, &why);
    if (rc < 0)
        refuse(caller, why.text);
}
