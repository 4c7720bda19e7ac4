/* Opens and closes the history, and puts a damaged one aside. */
#include "sallyport/store/history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "history_impl.h"
#include "sallyport/base/str.h"
#include "store_impl.h"

/* "SalH": marks the file as ours. */
#define APPLICATION_ID 0x53616c48
#define VERSION 1
#define BUSY_MS 2000
/* A file up to this size is looked through when it is opened: it takes some tenths of a second. Damage in a larger one shows
 * when it is met. */
#define CHECK_BYTES_MAX (INT64_C(32) << 20)
#define KEEP_DAMAGED 2

const struct history_level history_levels[HISTORY_LEVELS] = {
    {60, 14 * INT64_C(86400)},
    {15 * INT64_C(60), 730 * INT64_C(86400)},
    {6 * INT64_C(3600), 730 * INT64_C(86400)}, /* for charts over years */
};

/* Rows of one machine and level lie side by side, as they are read. */
static const char schema[] = "CREATE TABLE subject ("
                             " machine_id INTEGER NOT NULL,"
                             " id INTEGER NOT NULL,"
                             " name TEXT NOT NULL,"
                             " label TEXT NOT NULL,"
                             " gpu INTEGER NOT NULL,"
                             " since INTEGER NOT NULL,"
                             " seen INTEGER NOT NULL,"
                             " PRIMARY KEY (machine_id, id)) STRICT, WITHOUT ROWID;"
                             "CREATE TABLE value ("
                             " machine_id INTEGER NOT NULL,"
                             " level INTEGER NOT NULL,"
                             " time INTEGER NOT NULL,"
                             " packed BLOB NOT NULL,"
                             " PRIMARY KEY (machine_id, level, time)) STRICT, WITHOUT ROWID;"
                             "CREATE TABLE use ("
                             " machine_id INTEGER NOT NULL,"
                             " day INTEGER NOT NULL,"
                             " gpu TEXT NOT NULL,"
                             " user TEXT NOT NULL,"
                             " busy_s REAL NOT NULL,"
                             " joules REAL NOT NULL,"
                             " PRIMARY KEY (machine_id, day, gpu, user)) STRICT, WITHOUT ROWID;";

int history_errno(int rc) {
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return 0;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return SP_EFORMAT;
    case SQLITE_BUSY:
        return SP_EBUSY;
    default:
        return store_errno(rc);
    }
}

/* The first value of a pragma or a count. */
static int ask(struct history *history, const char *sql, int64_t *out) {
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(history->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return history_errno(rc);
}

/* A new file gets its tables; one that is there must be ours. */
static int take_schema(struct history *history, struct why *why) {
    int64_t application = 0, version = 0, tables = 0;
    char mark[96];
    int rc = ask(history, "PRAGMA application_id", &application);
    if (rc == 0)
        rc = ask(history, "PRAGMA user_version", &version);
    if (rc == 0)
        rc = ask(history, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc < 0)
        return rc;
    if (application == APPLICATION_ID && version == VERSION)
        return 0;
    if (application != 0 || tables > 0) {
        why_set(why, application == APPLICATION_ID ? "it was written by another version of Sallyport"
                                                   : "it is a database, but no history of Sallyport's");
        return application == APPLICATION_ID ? SP_EVERSION : SP_EFORMAT;
    }
    snprintf(mark, sizeof(mark), "PRAGMA application_id = %d; PRAGMA user_version = %d;", APPLICATION_ID, VERSION);
    rc = history_begin(history);
    if (rc < 0)
        return rc;
    rc = history_errno(sqlite3_exec(history->db, schema, NULL, NULL, NULL));
    if (rc == 0)
        rc = history_errno(sqlite3_exec(history->db, mark, NULL, NULL, NULL));
    return history_end(history, rc);
}

static int check(struct history *history, const char *path, struct why *why) {
    struct stat about;
    sqlite3_stmt *statement = NULL;
    if (stat(path, &about) < 0 || about.st_size > CHECK_BYTES_MAX)
        return 0;
    int rc = sqlite3_prepare_v2(history->db, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    int result = history_errno(rc);
    if (rc == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0) {
        why_set(why, "%s", (const char *)sqlite3_column_text(statement, 0));
        result = SP_EFORMAT;
    }
    sqlite3_finalize(statement);
    return result;
}

static int set_up(struct history *history, const char *path, struct why *why) {
    static const char settings[] = "PRAGMA journal_mode = WAL;"
                                   "PRAGMA synchronous = NORMAL;" /* the last minutes may go in a power cut */
                                   "PRAGMA trusted_schema = OFF;"
                                   "PRAGMA cell_size_check = ON;"
                                   "PRAGMA temp_store = MEMORY;" /* no files outside the state folder */
                                   "PRAGMA journal_size_limit = 4194304;";
    sqlite3_extended_result_codes(history->db, 1);
    sqlite3_busy_timeout(history->db, BUSY_MS);
    sqlite3_db_config(history->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    int rc = history_errno(sqlite3_exec(history->db, settings, NULL, NULL, NULL));
    if (rc == 0)
        rc = check(history, path, why);
    if (rc == 0)
        rc = take_schema(history, why);
    if (rc < 0 && !why->text[0])
        why_set(why, "%s", sqlite3_errmsg(history->db));
    return rc;
}

int history_open(const char *path, struct history **out, struct why *why) {
    struct why reason = {""};
    struct history *history = calloc(1, sizeof(*history));
    int rc = SP_ENOMEM;
    if (!history) {
        why_set(&reason, "%s", err_text(rc));
        goto out;
    }
    /* With our mode, before SQLite makes it with its own. */
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        why_set(&reason, "%s", strerror(errno));
        rc = SP_ESYS;
        goto out;
    }
    close(fd);
    int sqlite_rc = sqlite3_open_v2(path, &history->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    rc = history_errno(sqlite_rc);
    if (rc < 0)
        why_set(&reason, "%s", sqlite3_errstr(sqlite_rc));
    else
        rc = set_up(history, path, &reason);
out:
    if (rc < 0) {
        int saved = errno;
        why_set(why, "the history %s: %s", path, reason.text);
        history_close(history);
        errno = saved;
        return rc;
    }
    *out = history;
    return 0;
}

void history_close(struct history *history) {
    if (!history)
        return;
    for (size_t i = 0; i < HISTORY_STATEMENTS; i++)
        sqlite3_finalize(history->statements[i]);
    (void)sqlite3_close(history->db);
    free(history);
}
