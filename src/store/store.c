/* Opens and closes the registry. */
#include "sallyport/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/log.h"
#include "store_impl.h"

#define BUSY_MS 2000
#define KEEP_ENDED_S (30 * INT64_C(86400))

/* With our mode, before SQLite makes it with its own. */
static int make_file(const char *path, struct why *why) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        why_set(why, "%s", strerror(errno));
        return SP_ESYS;
    }
    close(fd);
    return 0;
}

/* What SQLite said while the file was opened, as one of ours. */
static int explain(struct store *store, int rc, struct why *why) {
    const char *text = sqlite3_errmsg(store->db);
    switch (rc & 0xff) {
    case SQLITE_NOTADB:
        why_set(why, "it is not a database: restore it from a copy, or move it away to begin anew");
        return SP_EFORMAT;
    case SQLITE_CORRUPT:
        why_set(why, "it is damaged (%s): restore it from a copy, or move it away to begin anew", text);
        return SP_EFORMAT;
    case SQLITE_BUSY:
        why_set(why, "another program is using it: end that first");
        return SP_EBUSY;
    default:
        why_set(why, "%s", text);
        return store_errno(rc);
    }
}

/* Every page and index is looked at: a damaged registry must not decide who gets in. */
static int check(struct store *store, struct why *why) {
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    int result = 0;
    if (rc != SQLITE_ROW) {
        result = explain(store, rc, why);
    } else if (strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0) {
        why_set(why, "it is damaged (%s): restore it from a copy, or move it away to begin anew",
                (const char *)sqlite3_column_text(statement, 0));
        result = SP_EFORMAT;
    }
    sqlite3_finalize(statement);
    return result;
}

static int set_up(struct store *store, struct why *why) {
    static const char settings[] = "PRAGMA journal_mode = WAL;"
                                   "PRAGMA synchronous = FULL;" /* a used token stays used after a power cut */
                                   "PRAGMA foreign_keys = ON;"
                                   "PRAGMA trusted_schema = OFF;"
                                   "PRAGMA cell_size_check = ON;"
                                   "PRAGMA temp_store = MEMORY;"; /* no files outside the state folder */
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_timeout(store->db, BUSY_MS);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    int rc = sqlite3_exec(store->db, settings, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return explain(store, rc, why);
    rc = check(store, why);
    return rc ? rc : schema_update(store, why);
}

int store_open(const char *path, struct store **out, struct why *why) {
    struct why reason = {""};
    struct store *store = calloc(1, sizeof(*store));
    int rc = SP_ENOMEM;
    if (!store) {
        why_set(&reason, "%s", err_text(rc));
        goto out;
    }
    rc = make_file(path, &reason);
    if (rc)
        goto out;
    int sqlite_rc = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    rc = sqlite_rc == SQLITE_OK ? set_up(store, &reason) : explain(store, sqlite_rc, &reason);
out:
    if (rc) {
        int saved = errno;
        why_set(why, "the database %s: %s", path, reason.text);
        store_close(store);
        errno = saved;
        return rc;
    }
    *out = store;
    return 0;
}

void store_close(struct store *store) {
    if (!store)
        return;
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(store->statements[i]);
    int rc = sqlite3_close(store->db);
    if (rc != SQLITE_OK)
        log_error("database: closing: %s", sqlite3_errstr(rc));
    free(store);
}

/* Runs a statement whose one parameter is a time. */
static int drop_before(struct store *store, enum statement which, const char *sql, int64_t moment) {
    struct query query;
    query_begin(&query, store, which, sql);
    query_int(&query, moment);
    return query_run(&query);
}

int store_tidy(struct store *store, int64_t now) {
    int rc = drop_before(store, STATEMENT_INVITE_TIDY, "DELETE FROM invite WHERE expires < ?", now - KEEP_ENDED_S);
    if (!rc)
        rc = drop_before(store, STATEMENT_LOGIN_TIDY, "DELETE FROM login_code WHERE expires < ?", now - KEEP_ENDED_S);
    if (!rc)
        rc = drop_before(store, STATEMENT_SESSION_TIDY, "DELETE FROM web_session WHERE expires < ?", now);
    return rc;
}
