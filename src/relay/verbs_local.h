/* What the files of the verbs share: the table's row, one call, and how a verb ends. */
#ifndef SALLYPORT_RELAY_VERBS_LOCAL_H
#define SALLYPORT_RELAY_VERBS_LOCAL_H

#include <stdbool.h>

#include "sallyport/domain/table.h"
#include "sallyport/relay/verbs.h"
#include "sallyport/store/keys.h"
#include "sallyport/store/tokens.h"
#include "sallyport/store/users.h"
#include "sallyport/wire/pubkey.h"

struct json_t;
struct verb_call;

/* A request has at most so many words. */
#define VERB_WORDS_MAX 64

/* Exit statuses. */
enum { VERB_DONE = 0, VERB_FAILED = 1, VERB_USAGE = 2 };

/* What a verb takes beside its arguments. */
enum {
    VERB_JSON = 1 << 0,    /* --json */
    VERB_ADMIN = 1 << 1,   /* --admin */
    VERB_FOR = 1 << 2,     /* --for DURATION */
    VERB_KEY = 1 << 3,     /* the last arguments are a public key: its words are never options */
    VERB_API = 1 << 4,     /* --api LABEL */
    VERB_ALL = 1 << 5,     /* --all */
    VERB_FREE = 1 << 6,    /* --free */
    VERB_NOTE = 1 << 7,    /* --note TEXT */
    VERB_USER = 1 << 8,    /* --user NAME */
    VERB_PRIVATE = 1 << 9, /* --private */
    VERB_PRICES = 1 << 10, /* --machine, --power, --cloud, --since, --currency */
    VERB_LAST = 1 << 11,   /* --last COUNT */
};

struct verb {
    const char *name;
    const char *sub;       /* second word, or NULL */
    const char *arguments; /* for the usage */
    const char *help;
    enum policy_action needs;
    unsigned takes;
    size_t least, most; /* arguments */
    int (*run)(struct verb_call *call);
};

struct verb_call {
    const struct verbs *verbs;
    const struct verb *verb;
    struct store *store;
    const struct verb_actor *actor;
    struct policy_subject subject; /* owned */
    char who[SP_NAME_SIZE];        /* the user's name, or "operator" */
    int64_t now;
    char *args[VERB_WORDS_MAX]; /* without verb and options; borrowed words */
    size_t count;
    bool json, admin, all, free, is_private;
    const char *api;                /* the label of --api; NULL: not given */
    const char *note, *user, *last; /* of --note, --user and --last; NULL: not given */
    struct {
        const char *machine, *power, *cloud, *since, *currency;
    } prices;          /* NULL: not given */
    uint64_t duration; /* of --for in seconds; 0: not given */
    const char *input;
    size_t input_len;
    struct buf *out, *err;
};

/* Ends in verbs_table.c. */
extern const struct verb verb_table[];
extern const size_t verb_count;

bool verb_may(const struct verb_call *call, enum policy_action action);
/* "user add", into `to`. */
void verb_title(const struct verb *verb, char *to, size_t size);
/* A line of the audit about what this call did to `object`. `detail` may be NULL. */
void verb_audit(const struct verb_call *call, const char *object, const char *outcome, const char *detail);
/* A line for the person, on standard error. */
void verb_say(const struct verb_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, returning VERB_FAILED. */
int verb_fail(const struct verb_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* How a verb ends that has nothing more to say: VERB_DONE for 0, else says what failed in the relay. */
int verb_end(const struct verb_call *call, int rc);
/* A change that was tried: the audit's line and, when it failed, the sentence in `why` (or rc's own text). */
int verb_changed(const struct verb_call *call, int rc, const char *object, const char *detail, const struct why *why);

/* Prints the table, or says that memory is short; frees it. */
int verb_print(const struct verb_call *call, struct table *table);
/* Prints the JSON (taken over; NULL: out of memory). */
int verb_print_json(const struct verb_call *call, struct json_t *value);
/* A time in a table; "" for 0. */
void verb_time(char to[static 21], int64_t when);

/* Do the arguments from `first` on begin a public key, or are they `-`? */
bool verb_is_key(const struct verb_call *call, size_t first);
/* Reads the key from the arguments from `first` on, or from standard input for `-`. 0, or has said what is wrong. */
int verb_read_key(const struct verb_call *call, size_t first, struct pubkey *out);
/* The same key for the store; borrows. */
struct key_text verb_key_text(const struct pubkey *key);
/* Whose keys, tokens or sessions. */
struct verb_owner {
    enum key_owner_kind kind;
    int64_t id;
    char name[SP_NAME_SIZE];
};
/* The one called `name`, or who asks when it is NULL (for the operator: KEY_OWNER_NONE, nobody). Others are for admins,
 * and who is none does not learn whether the name is there. 0, or an exit status. */
int verb_find_owner(const struct verb_call *call, const char *name, struct verb_owner *out);

/* verbs_tokens.c: API tokens, which the verbs of `key` treat as keys of another type. */
int verb_token_add(struct verb_call *call);
int verb_token_remove(struct verb_call *call);
struct json_t *verb_token_json(const struct verb_call *call, const struct api_token *token); /* NULL: failed */
void verb_token_row(const struct verb_call *call, const struct api_token *token, struct table *table);

/* How many SSH keys a user has. 0 or SP_ESYS. */
int verb_count_keys(const struct verb_call *call, int64_t user_id, size_t *count);
/* Somebody must be left who can administer by ssh; the operator, at the machine itself, may do as he likes. 0, or the
 * exit status when `user` is the last one, said and written down. */
int verb_check_last_admin(const struct verb_call *call, const struct user *user);

/* What a user was granted, as an array of "box1" and "box1/jupyter"; NULL when memory or the database failed. */
struct json_t *verb_grants(const struct verb_call *call, int64_t user_id);

int verb_help(struct verb_call *call);
int verb_list(struct verb_call *call);
int verb_status(struct verb_call *call);
int verb_whoami(struct verb_call *call);
int verb_ticket(struct verb_call *call);
int verb_login(struct verb_call *call);
int verb_invite_machine(struct verb_call *call);
int verb_invite_user(struct verb_call *call);
int verb_invite_list(struct verb_call *call);
int verb_invite_remove(struct verb_call *call);
int verb_user_list(struct verb_call *call);
int verb_user_add(struct verb_call *call);
int verb_user_remove(struct verb_call *call);
int verb_user_disable(struct verb_call *call);
int verb_user_enable(struct verb_call *call);
int verb_key_list(struct verb_call *call);
int verb_key_add(struct verb_call *call);
int verb_key_remove(struct verb_call *call);
int verb_session_list(struct verb_call *call);
int verb_session_remove(struct verb_call *call);
int verb_machine_list(struct verb_call *call);
int verb_machine_add(struct verb_call *call);
int verb_machine_rename(struct verb_call *call);
int verb_machine_remove(struct verb_call *call);
int verb_grant(struct verb_call *call);
int verb_revoke(struct verb_call *call);
int verb_list_free(struct verb_call *call);
int verb_claim(struct verb_call *call);
int verb_release(struct verb_call *call);
int verb_wake(struct verb_call *call);
int verb_alerts_list(struct verb_call *call);
int verb_alerts_channels(struct verb_call *call);
int verb_alerts_add(struct verb_call *call);
int verb_alerts_remove(struct verb_call *call);
int verb_alerts_test(struct verb_call *call);
int verb_alerts_settings(struct verb_call *call);
int verb_alerts_set(struct verb_call *call);
int verb_alerts_quiet(struct verb_call *call);
int verb_pay(struct verb_call *call);
int verb_price(struct verb_call *call);
int verb_publish(struct verb_call *call);
int verb_unpublish(struct verb_call *call);
int verb_audit_list(struct verb_call *call);

#endif
