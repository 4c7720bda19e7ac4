/* The verbs: everything that can be asked of the relay or ordered, over SSH and over the control socket. */
#ifndef SALLYPORT_RELAY_VERBS_H
#define SALLYPORT_RELAY_VERBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sallyport/base/buf.h"
#include "sallyport/domain/policy.h"
#include "sallyport/relay/overview.h"

struct verb_actor;
struct prices;
struct recorder;
struct watch;

/* What the verbs work on; set by the relay, outlives every call. */
struct verbs {
    struct overview_source source; /* its store is the one that is changed */
    /* Something was changed that may end rights: users, machines, keys, grants. The relay checks every live connection
     * and stream anew, and ends those of users and machines that are gone or got another key. */
    void (*changed)(void *ctx);
    /* A machine that may be connected has a new name from now on. */
    void (*renamed)(void *ctx, int64_t machine_id, const char *name);
    /* This user has lost rights, or (`all`) one of his keys: streams of his that go past the relay are ended, too. After
     * `changed`. */
    void (*lost)(void *ctx, int64_t user_id, const char *name, bool all);
    /* Appends the ways to a service as a line of JSON (docs/PROTOCOL.md section 7); with why when there is none: then
     * what was appended says so, too. */
    int (*ticket)(void *ctx, const struct verb_actor *actor, const char *name, const struct policy_subject *subject,
                  const char *box, const char *service, struct buf *out, struct why *why);
    /* Has a machine publish a service that it has found, or no more. SP_ECLOSED: it is offline; SP_ENOENT: it has none of
     * that name; SP_EEXIST: that is so already; SP_EDENIED: its configuration decides; SP_EBUSY, SP_ENOMEM; with why. */
    int (*publish)(void *ctx, const struct machine *machine, const char *service, bool published, struct why *why);
    void *ctx;
    struct watch *watch;          /* over claims and alerts */
    struct recorder *recorder;    /* the machines' history; NULL: none */
    struct prices *const *prices; /* of GPUs in clouds, as they are now; NULL: none */
    int64_t (*now)(void);         /* UTC seconds; os_realtime_s but for tests */
    const char *host;             /* public name or address (IPv6 without brackets) */
    uint16_t port;                /* public port */
    const char *fingerprint;      /* of the relay's host key, "SHA256:..." */
};

/* Who asks: a user (by id; role and grants are read from the store at that moment) or the operator. */
struct verb_actor {
    enum subject_kind kind;
    int64_t user_id;
    const char *fingerprint; /* of the key that he logged in with; NULL: none */
    const char *address;     /* where from, in figures; "": from here */
};

/* Runs `words` (as the control socket hands them over) or `line` (as ssh does, split by str_words; "" is the list and a
 * hint). `input` is what was sent on standard input, for `-`; NULL when none. Output and messages are appended to
 * out and err. Returns the exit status: 0 done, 1 failed, 2 wrong usage. */
int verbs_run(const struct verbs *verbs, const struct verb_actor *actor, char **words, size_t count, const char *input,
              size_t input_len, struct buf *out, struct buf *err);
int verbs_run_line(const struct verbs *verbs, const struct verb_actor *actor, const char *line, const char *input,
                   size_t input_len, struct buf *out, struct buf *err);

/* Does this line want standard input (one of its words is `-`)? Then collect it, at most VERBS_INPUT_MAX, first. */
#define VERBS_INPUT_MAX 16384
bool verbs_wants_input(const char *line);

/* All verbs as items of a page of the manual: a print of struct manual_part, whose ctx is not used. */
void verbs_manual(const void *unused, FILE *to);

#endif
