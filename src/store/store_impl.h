/* What the files of the store share: the connection, queries, transactions. */
#ifndef SALLYPORT_STORE_IMPL_H
#define SALLYPORT_STORE_IMPL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/store/keys.h"
#include "sallyport/store/logins.h"
#include "sallyport/store/store.h"

/* Every statement of the store has a place here: it is prepared at its first use and kept. */
enum statement {
    STATEMENT_ALERT_ADD,
    STATEMENT_ALERT_BOUND,
    STATEMENT_ALERT_LIST_ON,
    STATEMENT_ALERT_LIST_PAST,
    STATEMENT_ALERT_OFF,
    STATEMENT_ALERT_TIDY,
    STATEMENT_AUDIT_ADD,
    STATEMENT_AUDIT_LIST,
    STATEMENT_AUDIT_TRIM,
    STATEMENT_BEGIN,
    STATEMENT_CHANNEL_ADD,
    STATEMENT_CHANNEL_COUNT,
    STATEMENT_CHANNEL_GET,
    STATEMENT_CHANNEL_LIST,
    STATEMENT_CHANNEL_REMOVE,
    STATEMENT_CHANNEL_WENT,
    STATEMENT_CLAIM_LIST,
    STATEMENT_CLAIM_PUT,
    STATEMENT_CLAIM_REMOVE,
    STATEMENT_COMMIT,
    STATEMENT_GRANT_ADD,
    STATEMENT_GRANT_LIST,
    STATEMENT_GRANT_REMOVE,
    STATEMENT_HOME_LIST,
    STATEMENT_HOME_PUT,
    STATEMENT_INVITE_ADD,
    STATEMENT_INVITE_FIND,
    STATEMENT_INVITE_LIST,
    STATEMENT_INVITE_REMOVE,
    STATEMENT_INVITE_REMOVE_NAME,
    STATEMENT_INVITE_RENAME,
    STATEMENT_INVITE_TIDY,
    STATEMENT_INVITE_USE,
    STATEMENT_KEY_ADD,
    STATEMENT_KEY_FIND,
    STATEMENT_KEY_LIST,
    STATEMENT_KEY_REMOVE,
    STATEMENT_KEY_REMOVE_ALL,
    STATEMENT_KEY_USED,
    STATEMENT_LOGIN_ADD,
    STATEMENT_LOGIN_FIND,
    STATEMENT_LOGIN_REMOVE_USER,
    STATEMENT_LOGIN_TIDY,
    STATEMENT_LOGIN_USE,
    STATEMENT_MACHINE_ADD,
    STATEMENT_MACHINE_FIND,
    STATEMENT_MACHINE_GET,
    STATEMENT_MACHINE_LIST,
    STATEMENT_MACHINE_REMOVE,
    STATEMENT_MACHINE_RENAME,
    STATEMENT_MACHINE_SEEN,
    STATEMENT_NETWORK_ADD,
    STATEMENT_NETWORK_REMOVE,
    STATEMENT_NOTICE_ADD,
    STATEMENT_NOTICE_COUNT,
    STATEMENT_NOTICE_DUE,
    STATEMENT_NOTICE_FULL,
    STATEMENT_NOTICE_HOUR,
    STATEMENT_NOTICE_LATER,
    STATEMENT_NOTICE_REMOVE,
    STATEMENT_NOTICE_TOLD,
    STATEMENT_QUIET_CHANGED,
    STATEMENT_QUIET_GET,
    STATEMENT_QUIET_PUT,
    STATEMENT_QUIET_REMOVE,
    STATEMENT_PRICE_GET,
    STATEMENT_PRICE_PUT,
    STATEMENT_ROLLBACK,
    STATEMENT_SERVICE_SESSION_ADD,
    STATEMENT_SERVICE_SESSION_FIND,
    STATEMENT_SESSION_ADD,
    STATEMENT_SESSION_FIND,
    STATEMENT_SESSION_GET,
    STATEMENT_SESSION_LIST,
    STATEMENT_SESSION_REMOVE,
    STATEMENT_SESSION_REMOVE_OTHERS,
    STATEMENT_SESSION_TIDY,
    STATEMENT_SESSION_TOUCH,
    STATEMENT_SESSION_TRIM,
    STATEMENT_SETTING_LIST,
    STATEMENT_SETTING_PUT,
    STATEMENT_SETTING_REMOVE,
    STATEMENT_TOKEN_ADD,
    STATEMENT_TOKEN_COUNT,
    STATEMENT_TOKEN_FIND,
    STATEMENT_TOKEN_GET,
    STATEMENT_TOKEN_LIST,
    STATEMENT_TOKEN_REMOVE,
    STATEMENT_TOKEN_TOUCH,
    STATEMENT_USER_ADD,
    STATEMENT_USER_COUNT_ADMINS,
    STATEMENT_USER_FIND,
    STATEMENT_USER_GET,
    STATEMENT_USER_LIST,
    STATEMENT_USER_REMOVE,
    STATEMENT_USER_SET_DISABLED,
    STATEMENT_COUNT
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
};

/* errno for SQLite's code `rc`; returns SP_ESYS. */
int store_errno(int rc);

/* Brings an open database to this version's schema: store_open's errors. */
int schema_update(struct store *store, struct why *why);

/* One run of a statement. A failure sticks: later calls do nothing, query_end returns it. */
struct query {
    struct store *store;
    sqlite3_stmt *statement;
    int bound; /* parameters so far */
    int rc;    /* 0 or a negative enum sp_err */
};

/* `sql` is always the same for one `which`. */
void query_begin(struct query *query, struct store *store, enum statement which, const char *sql);
/* Bind the next parameter; texts and blobs must live until query_end. NULL text is "". */
void query_int(struct query *query, int64_t value);
void query_real(struct query *query, double value); /* NAN is NULL */
void query_text(struct query *query, const char *value);
void query_blob(struct query *query, const void *bytes, size_t n);
/* True: a row is there. False: no more, or a failure. A broken UNIQUE is SP_EEXIST, a broken reference SP_ENOENT. */
bool query_row(struct query *query);
int64_t query_get_int(struct query *query, int column);
double query_get_real(struct query *query, int column);
/* Cut off, never in the middle of a character, when it does not fit. */
void query_get_text(struct query *query, int column, char *to, size_t size);
bool query_is_null(struct query *query, int column);
/* Makes the statement ready for the next run and returns what went wrong, or 0. */
int query_end(struct query *query);
/* For statements without rows: runs, ends. With `changed`: SP_ENOENT when no row was changed. */
int query_run(struct query *query);
int query_run_changed(struct query *query);

/* A change of several statements. transaction_end commits when rc is 0, else takes everything back; returns rc, or the
 * commit's own failure. */
int transaction_begin(struct store *store);
int transaction_end(struct store *store, int rc);

/* The same for what may be lost in a power cut, so that it need not wait for the disk: the audit, last-used times. When
 * light_begin fails, light_end is not called, as with the other pair. */
int light_begin(struct store *store);
int light_end(struct store *store, int rc);

/* A growing array for lists. */
struct rows {
    char *items;
    size_t count, capacity, size; /* size: of one item */
};

/* A further, zeroed item, or NULL when out of memory (then query->rc says so). */
void *rows_add(struct rows *rows, struct query *query);
/* Ends the query: hands the items (at least a pointer to free) over, or frees them on failure. */
int rows_end(struct rows *rows, struct query *query, void **items, size_t *count);

/* Inside the caller's transaction. `owner` is the user's or machine's id. */
int key_insert(struct store *store, enum key_owner_kind kind, int64_t owner, const struct key_text *key, int64_t now,
               struct why *why);
int user_insert(struct store *store, const char *name, enum role role, const struct key_text *key, int64_t now,
                int64_t *id, struct why *why);
int machine_insert(struct store *store, const char *name, const struct key_text *key, int64_t now, int64_t *id,
                   struct why *why);
int key_remove_all(struct store *store, int64_t machine_id);
int invite_remove_name(struct store *store, const char *name);
int invite_rename(struct store *store, const char *from, const char *to);
int login_remove_user(struct store *store, int64_t user_id);

/* A row of these columns, which come first, as a session; of its user only the id is known yet. */
#define SESSION_COLUMNS \
    "web_session.id, web_session.user_id, web_session.created, web_session.last_used, web_session.expires"
#define SESSION_COLUMN_COUNT 5
void session_read(struct query *query, struct session *session);
/* Is it good at `now`? Learns who the user is. The errors of store_session_find. */
int session_check(struct store *store, int64_t now, int64_t idle, struct session *session);

#endif
