/* What the files of the relay share: the relay itself, its connections, the machines that are there, the streams. */
#ifndef SALLYPORT_RELAY_RELAY_LOCAL_H
#define SALLYPORT_RELAY_RELAY_LOCAL_H

#include <sys/socket.h>

#include "counters.h"
#include "sallyport/base/list.h"
#include "sallyport/base/log.h"
#include "sallyport/base/map.h"
#include "sallyport/domain/ask.h"
#include "sallyport/domain/link.h"
#include "sallyport/domain/policy.h"
#include "sallyport/relay/relay.h"
#include "sallyport/relay/verbs.h"
#include "sallyport/store/audit.h"
#include "sallyport/store/keys.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/store.h"
#include "sallyport/store/users.h"
#include "sallyport/wire/bridge.h"
#include "sallyport/wire/ssh_server.h"

struct listener;
struct local_server;
struct tickets;
struct door;
struct proofs;
struct certificate;
struct prices;
struct recorder;
struct watch;
struct web;
struct link;

enum {
    LOGIN_MS = 20000,   /* from the first moment of a connection to its login (docs/PROTOCOL.md section 1) */
    SILENCE_MS = 18000, /* a machine with a link that was not heard for so long is gone */
    MACHINE_IDLE_S = 5, /* keepalive of machines: a dead path shows within 20 s ... */
    MACHINE_DEAD_MS = 15000,
    PERSON_IDLE_S = 30, /* ... while a person's ssh may be stopped for as long as he likes */
    LOSSES_MAX = 256,
};

/* A user who has lost rights, told to machines that were not there when they come back. */
struct loss {
    int64_t when; /* UTC seconds; 0: none */
    int64_t user_id;
    char user[SP_NAME_SIZE];
    bool all; /* a key of his was removed: whatever it opened ends */
};

struct relay {
    const struct relay_config *config;
    struct loop *loop;
    struct store *store;
    struct ssh_server *ssh;
    struct listener *listener;
    struct local_server *local;
    struct certificate *certificate;
    struct web *web;
    struct tickets *tickets;
    struct door *door;
    struct proofs *proofs;
    struct watch *watch;       /* over claims, alerts and who sleeps */
    struct recorder *recorder; /* of the machines' history */
    struct prices *prices;     /* of GPUs in clouds */
    struct verbs verbs;
    struct keypair *host_key;
    struct map *machines;           /* id in decimal -> struct machine_live, those that are connected */
    struct list peers;              /* struct peer, logged in */
    struct list streams;            /* struct reach */
    struct loss losses[LOSSES_MAX]; /* the latest ones, in a ring */
    size_t loss_next;
    int64_t began; /* UTC seconds: when it was started */
    struct relay_counters counters;
    struct loop_timer tick;
    unsigned ticks;
    int lock_fd;
    int proc_fd; /* our own folder in /proc, held for the sandbox; -1: none */
    char host[256];
    uint16_t port;
    char state[4096];
};

enum peer_kind { PEER_GUEST, PEER_JOINING, PEER_USER, PEER_MACHINE };

/* One SSH connection. */
struct peer {
    struct list link;
    struct relay *relay;
    struct ssh_conn *conn;
    /* Called once, when it has logged in or is over, with what peer_accept was given. */
    void (*settled)(void *ctx);
    void *settled_ctx;
    enum peer_kind kind;
    int64_t id; /* of the user or machine */
    char name[SP_NAME_SIZE];
    char fingerprint[64];
    struct pubkey *key;            /* of one that is joining ... */
    bool joining;                  /* ... and has begun to */
    struct policy_subject subject; /* of a user */
    struct machine_live *machine;  /* of a machine, while it is this connection that counts */
    struct link *link_session;
    unsigned explaining;
};

/* A machine that is connected. */
struct machine_live {
    int64_t id;
    char name[SP_NAME_SIZE];
    struct peer *peer;
    int64_t since;
    char version[32];
    struct service *forwards; /* what it asked to forward, and so can be reached; owned, at most SERVICES_MAX */
    size_t forward_count;
    struct service *described; /* what the link says of them; owned */
    size_t described_count;
    struct service *shown; /* the forwards, then what was only found; owned. NULL: the forwards alone */
    size_t shown_count;
    struct status status;
    bool has_status;
    char observed[INET6_ADDRSTRLEN];    /* where its connection comes from */
    uint8_t print[TICKET_MACHINE_SIZE]; /* SHA-256 of its key's blob, as tickets name it */
    int64_t last_seen;                  /* before this connection: UTC seconds, 0: never */
    char **host_keys;                   /* of its sshd, lines as in a .pub file; owned, and so is each */
    size_t host_key_count;
    bool has_clock;
    int64_t clock_offset_s; /* its clock minus ours */
    bool has_reach;
    struct link_reach reach;           /* with what was found there */
    uint64_t prove_at[CANDIDATES_MAX]; /* loop_now: when which is proved next */
    uint64_t proofs_refilled, proofs_reported;
    unsigned proofs_spent;
};

/* A stream from a user to a service, being opened or bridged. */
struct reach {
    struct list link;
    struct relay *relay;
    struct peer *user; /* NULL when gone */
    int64_t user_id;
    int64_t machine_id;
    char user_name[SP_NAME_SIZE];
    char service[SP_NAME_SIZE];
    struct stream *from; /* the user's end, until bridged */
    struct ssh_chan *from_chan;
    uint16_t origin_port;
    struct bridge *bridge;
};

/* audit.c: one line of the audit trail. */
void relay_audit(struct relay *relay, const char *actor, const char *action, const char *object, const char *outcome,
                 const char *detail);
/* rights.c: checks every live connection and stream anew, and ends those that lost their right. */
void relay_rights_changed(void *ctx);
void relay_machine_renamed(void *ctx, int64_t machine_id, const char *name);
/* A service of that machine is not published any more: streams to it end. */
void relay_service_withdrawn(struct relay *relay, int64_t machine_id);
/* Something about machines has changed: whoever looks at them is told. */
void relay_machines_changed(struct relay *relay);

/* peers.c: who is at the other end of an SSH connection. */
extern const struct ssh_server_events peer_events;
int peer_accept(struct relay *relay, int fd, const char *address, const char *banner, void (*settled)(void *ctx),
                void *settled_ctx, struct peer **out);
/* Ends it; `settled` is not called any more. */
void peer_drop(struct peer *peer, const char *message);
/* A user has lost rights (`all`: or a key): his streams past the SSH tunnel end, too, here and at the machines. */
void relay_user_lost(void *ctx, int64_t user_id, const char *name, bool all);
/* Was a ticket of this user that was made at `made` (UTC seconds) made before he lost a key? */
bool relay_was_lost(const struct relay *relay, int64_t user_id, int64_t made);
/* The machine is back, and can be told what was lost while it was away. */
void relay_tell_losses(struct relay *relay, struct machine_live *live);

/* listener.c */
int listener_new(struct relay *relay, struct listener **out, struct why *why);
void listener_free(struct listener *listener);

/* machines.c */
int machine_arrive(struct peer *peer);
void machine_depart(struct peer *peer);
int machine_forward(struct peer *peer, const char *bind, uint16_t port, struct why *why);
void machine_unforward(struct peer *peer, const char *bind, uint16_t port);
/* What the link says of the services; takes the list over. True when one that was published is only found now: streams to
 * it are to end. */
bool machine_set_described(struct machine_live *machine, struct service *list, size_t count);
/* Was that service recognised there, but is not published? */
bool machine_only_found(const struct machine_live *machine, const char *service);
/* The host keys of its sshd; takes the list over. */
void machine_set_host_keys(struct machine_live *machine, char **keys, size_t count);
/* What its clock says, in UTC seconds; 0: it did not tell. */
void machine_set_clock(struct machine_live *machine, int64_t time);
struct machine_live *machine_find(const struct relay *relay, int64_t id);
int machine_view(void *ctx, int64_t machine_id, struct machine_view *out);
/* link.c: the subsystem of a machine. */
int link_begin(struct peer *peer, struct ssh_chan *chan, struct why *why);
/* loop_now when a machine that has a link was heard last; while it is read more slowly, as it says too much, it counts as
 * heard: what it says then has not come to us. */
uint64_t link_heard(const struct peer *peer);
/* LINK_OPEN or LINK_PUNCH. SP_ECLOSED: it has no link; SP_EBUSY: it does not read what it was sent before. */
int link_call(struct machine_live *live, enum link_kind kind, const struct link_call *call);
/* What was found at its candidates; that a user has lost his right to a service ("": to all). Without a link: nothing. */
void link_tell_verify(struct machine_live *live);
/* That it has another name now. */
void link_tell_name(struct machine_live *live);
void link_tell_end(struct machine_live *live, const char *user, const char *service);
/* SP_ECLOSED, SP_EBUSY as link_call. */
int link_tell_wake(struct machine_live *live, const struct link_network *network);
int link_tell_publish(struct machine_live *live, const struct link_publish *publish);
/* publish.c: has the machine publish a service that it has found, or no more; what comes of it, its next list of services
 * tells. SP_ECLOSED: it is offline; SP_ENOENT: it has none of that name; SP_EEXIST: that is so already; SP_EDENIED: its
 * configuration decides; SP_EBUSY, SP_ENOMEM. All with why. */
int publish_order(void *ctx, const struct machine *machine, const char *service, bool published, struct why *why);

/* reach.c: a user's way to a service. */
int reach_begin(struct peer *peer, struct ssh_chan *chan, const char *host, uint16_t port, const char *origin,
                uint16_t origin_port);
void reach_check_rights(struct relay *relay);
/* The machine that `host` names, if this subject may know of it. SP_ENOENT with why. */
int reach_find_machine(struct relay *relay, const struct policy_subject *subject, const char *host, struct machine *out,
                       struct why *why);
/* Says so when the machine has such a service (`name`, or NULL: any on that port), but no stream leads there: it was only
 * found, or is down. To those alone who may use ssh there, as for the rest of what was found. */
bool reach_say_named(const struct machine_live *live, const struct policy_subject *subject, const char *name,
                     uint16_t port, struct why *why);
/* ask.c: who asks which ways there are. */
struct asker {
    const char *name;
    const struct policy_subject *subject;
    const char *fingerprint; /* of the key that gets the secret for questions at the door; NULL: none does */
    const char *address;     /* in figures; "": not known */
};
/* Fills `out`, which is to be wiped: it has tickets. */
void ask_answer(struct relay *relay, const struct asker *asker, const struct ask *ask, struct answer *out);
/* The verb's way there: verbs.ticket. */
int ask_run(void *ctx, const struct verb_actor *actor, const char *name, const struct policy_subject *subject,
            const char *box, const char *service, struct buf *out, struct why *why);

/* door.c: connections that begin with SALLY. Takes the socket over, of which nothing was read. */
int door_new(struct relay *relay, struct door **out);
void door_accept(struct door *door, int fd, const struct sockaddr_storage *address);
/* Ends what is there; loop_drain follows, then door_free. Both take NULL. */
void door_hang_up(struct door *door);
void door_free(struct door *door);
/* door_call.c: whoever waits for this machine waits in vain. */
void door_machine_gone(struct door *door, int64_t machine_id);
/* spliced.c */
void spliced_check_rights(struct door *door);
/* With those that are being opened. */
void spliced_end_user(struct door *door, int64_t user_id);
/* Adds what is being spliced. */
void spliced_count(struct door *door, struct relay_counters *out);
/* upstream.c: web_config's `open`; ctx is struct relay. */
int upstream_open(void *ctx, int64_t machine_id, const struct service *service, const struct sockaddr_storage *peer,
                  void (*opened)(void *opened_ctx, struct stream *stream), void *opened_ctx);
/* explain.c: tells a user why a stream cannot be had, by a way that stock clients show; takes the channel over. */
void explain(struct peer *peer, struct ssh_chan *chan, uint16_t origin_port, const char *text);

/* session.c: verbs and joins. */
int session_begin(struct peer *peer, struct ssh_chan *chan, const struct ssh_session_request *request);
/* join.c: registers the peer's key by the token in `line`; the answer is appended to out; returns the exit status. */
int join_run(struct peer *peer, const char *line, struct buf *out);

#endif
