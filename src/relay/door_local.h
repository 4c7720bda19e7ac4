/* The relay's door: who comes there, who waits for whom, and what is spliced (docs/PROTOCOL.md section 7). */
#ifndef SALLYPORT_RELAY_DOOR_LOCAL_H
#define SALLYPORT_RELAY_DOOR_LOCAL_H

#include "relay_local.h"
#include "sallyport/base/buf.h"
#include "sallyport/domain/ask.h"
#include "sallyport/wire/door.h"
#include "tickets.h"

enum {
    DOOR_LINE_MS = 10000,  /* a question has to come within ... */
    DOOR_TOTAL_MS = 30000, /* ... and all of one connection's */
    DOOR_QUESTIONS = 16,   /* of one connection */
    DOOR_PER_ADDRESS = 128,
    OVER_MS = 3000,  /* for the other side's end */
    WAIT_MS = 10000, /* for a machine that was called */
    WAITS_MAX = 1024,
    WAITS_PER_USER = 32,
    WAITS_PER_MACHINE = 64,
    SPLICED_PER_USER = 256,
    NONCES = 2048, /* of sealed questions that are not answered twice */
};

/* Somebody who showed a ticket and waits for the machine, which was called by its link. */
struct wait {
    struct list link;      /* in door->waiting; detached: waits for nothing */
    enum ticket_kind kind; /* that the machine has to bring ... */
    uint8_t id[TICKET_ID_SIZE];
    uint8_t print[TICKET_MACHINE_SIZE];
    int64_t user_id, machine_id;
    char user[SP_NAME_SIZE], machine[SP_NAME_SIZE], service[SP_NAME_SIZE];
};

/* A connection to the door. Whose it is only its lines tell. */
struct caller {
    struct list link; /* in door->callers */
    struct door *door;
    struct loop_fd watch; /* edges only: who waits is not read */
    struct loop_timer timer;
    struct sockaddr_storage address;
    char text[INET6_ADDRSTRLEN];
    uint64_t deadline; /* loop_now */
    unsigned questions;
    uint8_t line[DOOR_LINE_MAX]; /* what is here of a question */
    size_t line_len;
    struct buf out;
    bool leaving; /* it is over when `out` is written ... */
    bool over;    /* ... and is: what still comes is thrown away until its end */
    struct wait wait;
};

struct door {
    struct relay *relay;
    struct list callers; /* the oldest first */
    size_t caller_count, callers_max;
    struct list waiting; /* struct wait, within its caller */
    struct list spliced; /* struct spliced */
    size_t spliced_count, spliced_max;
    uint8_t nonces[NONCES][SEALED_NONCE_SIZE];
    size_t nonce_next;
};

/* Answers; with `last` the connection is over when it is said. The caller may be gone afterwards. */
void caller_say(struct caller *caller, bool ok, const char *text, bool last);
/* Gives the socket away, of which nothing was read but its questions. The caller is gone afterwards. */
int caller_take(struct caller *caller);
void caller_drop(struct caller *caller);
/* From now on it waits for the machine, for WAIT_MS. */
int caller_wait(struct caller *caller);

/* What a ticket allows at this moment: policy is asked again, and the machine has to be there. Service "": any of kind
 * ssh. SP_EDENIED or SP_EBUSY with why, for the one who brought it. */
struct door_right {
    struct user user;
    struct machine_live *live;
};
/* What it is for, as the audit calls it: "box1/ssh". */
#define DOOR_OBJECT_SIZE (2 * SP_NAME_SIZE + 2)
void door_object(struct relay *relay, const struct ticket *ticket, char to[static DOOR_OBJECT_SIZE]);
int door_check(struct relay *relay, const struct ticket *ticket, struct door_right *out, struct why *why);
/* Is there a service of kind ssh with that name ("": any) on the machine that this user may reach? NULL: none. */
const struct service *door_service(const struct machine_live *live, const struct policy_subject *subject,
                                   const char *name);
/* Sends the machine a ticket of that kind, and has the caller wait for it. SP_EBUSY, ... with why. */
int door_call(struct caller *caller, enum ticket_kind kind, const struct ticket *shown, const struct door_right *right,
              struct why *why);
/* Who waits for this ticket, which a machine brought; NULL: nobody. */
struct caller *door_waiting(struct door *door, const struct ticket *ticket);

/* The modes. `argument` is terminated. Each ends with the caller answered, waiting, or gone. */
void door_ask(struct caller *caller, const char *argument);   /* door_ask.c */
void door_raw(struct caller *caller, const char *argument);   /* spliced.c */
void door_serve(struct caller *caller, const char *argument); /* spliced.c */
void door_punch(struct caller *caller, const char *argument); /* punch.c */

/* How many streams of this user are spliced. */
size_t spliced_of(struct door *door, int64_t user_id);
/* What is spliced ends. */
void spliced_hang_up(struct door *door);

#endif
