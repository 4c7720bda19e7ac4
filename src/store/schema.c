/* The schema, as the steps that lead to it: a database of any earlier version takes those that it lacks. */
#include <stdio.h>
#include <string.h>

#include "store_impl.h"

/* "Saly": marks the file as ours. */
#define APPLICATION_ID 0x53616c79

/* Step i leads from version i to i + 1. A step that was released is never changed. Ids are never used twice, so an
 * old one cannot come to mean somebody else. Users and machines share one namespace: the triggers see to it. */
static const char *const steps[] = {
    "CREATE TABLE user ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT NOT NULL UNIQUE,"
    " role TEXT NOT NULL CHECK (role IN ('member', 'admin')),"
    " disabled INTEGER NOT NULL DEFAULT 0,"
    " created INTEGER NOT NULL) STRICT;"

    "CREATE TABLE machine ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT NOT NULL UNIQUE,"
    " created INTEGER NOT NULL,"
    " last_seen INTEGER NOT NULL DEFAULT 0) STRICT;"

    "CREATE TRIGGER user_name_added BEFORE INSERT ON user"
    " WHEN EXISTS (SELECT 1 FROM machine WHERE name = NEW.name)"
    " BEGIN SELECT RAISE(ABORT, 'name taken'); END;"
    "CREATE TRIGGER machine_name_added BEFORE INSERT ON machine"
    " WHEN EXISTS (SELECT 1 FROM user WHERE name = NEW.name)"
    " BEGIN SELECT RAISE(ABORT, 'name taken'); END;"
    "CREATE TRIGGER user_name_changed BEFORE UPDATE OF name ON user"
    " WHEN EXISTS (SELECT 1 FROM machine WHERE name = NEW.name)"
    " BEGIN SELECT RAISE(ABORT, 'name taken'); END;"
    "CREATE TRIGGER machine_name_changed BEFORE UPDATE OF name ON machine"
    " WHEN EXISTS (SELECT 1 FROM user WHERE name = NEW.name)"
    " BEGIN SELECT RAISE(ABORT, 'name taken'); END;"

    "CREATE TABLE key ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " user_id INTEGER REFERENCES user ON DELETE CASCADE,"
    " machine_id INTEGER REFERENCES machine ON DELETE CASCADE,"
    " type TEXT NOT NULL,"
    " base64 TEXT NOT NULL,"
    " fingerprint TEXT NOT NULL UNIQUE,"
    " label TEXT NOT NULL,"
    " created INTEGER NOT NULL,"
    " last_used INTEGER NOT NULL DEFAULT 0,"
    " CHECK ((user_id IS NULL) <> (machine_id IS NULL))) STRICT;"
    "CREATE INDEX key_user ON key (user_id);"
    "CREATE INDEX key_machine ON key (machine_id);"

    "CREATE TABLE user_grant ("
    " user_id INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,"
    " machine_id INTEGER NOT NULL REFERENCES machine ON DELETE CASCADE,"
    " service TEXT NOT NULL,"
    " created INTEGER NOT NULL,"
    " PRIMARY KEY (user_id, machine_id, service)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX user_grant_machine ON user_grant (machine_id);"

    "CREATE TABLE invite ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),"
    " kind TEXT NOT NULL CHECK (kind IN ('user', 'machine')),"
    " name TEXT NOT NULL,"
    " role TEXT NOT NULL CHECK (role IN ('member', 'admin')),"
    " created_by TEXT NOT NULL,"
    " created INTEGER NOT NULL,"
    " expires INTEGER NOT NULL,"
    " used INTEGER NOT NULL DEFAULT 0) STRICT;"

    "CREATE TABLE login_code ("
    " code_hash BLOB NOT NULL PRIMARY KEY CHECK (length(code_hash) = 32),"
    " user_id INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,"
    " created INTEGER NOT NULL,"
    " expires INTEGER NOT NULL,"
    " used INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;"
    "CREATE INDEX login_code_user ON login_code (user_id);"

    "CREATE TABLE web_session ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),"
    " user_id INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,"
    " created INTEGER NOT NULL,"
    " last_used INTEGER NOT NULL,"
    " expires INTEGER NOT NULL,"
    " address TEXT NOT NULL,"
    " agent TEXT NOT NULL) STRICT;"
    "CREATE INDEX web_session_user ON web_session (user_id);"

    "CREATE TABLE audit ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " time INTEGER NOT NULL,"
    " actor TEXT NOT NULL,"
    " action TEXT NOT NULL,"
    " object TEXT NOT NULL,"
    " outcome TEXT NOT NULL,"
    " detail TEXT NOT NULL) STRICT;",

    "CREATE TABLE service_session ("
    " token_hash BLOB NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),"
    " session_id INTEGER NOT NULL REFERENCES web_session ON DELETE CASCADE,"
    " machine_id INTEGER NOT NULL REFERENCES machine ON DELETE CASCADE,"
    " service TEXT NOT NULL,"
    " created INTEGER NOT NULL,"
    " UNIQUE (session_id, machine_id, service)) STRICT;"
    "CREATE INDEX service_session_machine ON service_session (machine_id);"

    "CREATE TABLE api_token ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),"
    " user_id INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,"
    " fingerprint TEXT NOT NULL UNIQUE,"
    " label TEXT NOT NULL,"
    " created INTEGER NOT NULL,"
    " last_used INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX api_token_user ON api_token (user_id);",

    "CREATE TABLE claim ("
    " machine_id INTEGER NOT NULL REFERENCES machine ON DELETE CASCADE,"
    " gpu_id TEXT NOT NULL,"
    " gpu INTEGER NOT NULL,"
    " user_id INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,"
    " since INTEGER NOT NULL,"
    " until INTEGER NOT NULL,"
    " note TEXT NOT NULL,"
    " PRIMARY KEY (machine_id, gpu_id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX claim_user ON claim (user_id);"

    "CREATE TABLE alert ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " machine_id INTEGER NOT NULL REFERENCES machine ON DELETE CASCADE,"
    " kind TEXT NOT NULL,"
    " key TEXT NOT NULL,"
    " object TEXT NOT NULL,"
    " since INTEGER NOT NULL,"
    " until INTEGER NOT NULL,"
    " text TEXT NOT NULL,"
    " who TEXT NOT NULL,"
    " other TEXT NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX alert_on ON alert (machine_id, kind, key) WHERE until = 0;"
    "CREATE INDEX alert_until ON alert (until, id);"
    "CREATE INDEX alert_machine ON alert (machine_id, until);"

    "CREATE TABLE alert_setting ("
    " machine_id INTEGER REFERENCES machine ON DELETE CASCADE,"
    " name TEXT NOT NULL,"
    " value REAL NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX alert_setting_name ON alert_setting (coalesce(machine_id, 0), name);"

    "CREATE TABLE channel ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " user_id INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,"
    " kind TEXT NOT NULL CHECK (kind IN ('ntfy', 'webhook', 'mail')),"
    " address TEXT NOT NULL,"
    " private INTEGER NOT NULL,"
    " created INTEGER NOT NULL,"
    " sent INTEGER NOT NULL DEFAULT 0,"
    " tested INTEGER NOT NULL DEFAULT 0,"
    " test_ok INTEGER NOT NULL DEFAULT 0,"
    " trouble TEXT NOT NULL DEFAULT '',"
    " hour INTEGER NOT NULL DEFAULT 0,"
    " hour_count INTEGER NOT NULL DEFAULT 0,"
    " more INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE (user_id, kind, address)) STRICT;"

    "CREATE TABLE notice ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " channel_id INTEGER NOT NULL REFERENCES channel ON DELETE CASCADE,"
    " created INTEGER NOT NULL,"
    " due INTEGER NOT NULL,"
    " tries INTEGER NOT NULL,"
    " kind TEXT NOT NULL,"
    " state TEXT NOT NULL,"
    " machine TEXT NOT NULL,"
    " object TEXT NOT NULL,"
    " text TEXT NOT NULL,"
    " since INTEGER NOT NULL,"
    " urgent INTEGER NOT NULL) STRICT;"
    "CREATE INDEX notice_channel ON notice (channel_id, urgent DESC, id);"
    "CREATE INDEX notice_due ON notice (due);"

    "CREATE TABLE quiet ("
    " user_id INTEGER PRIMARY KEY REFERENCES user ON DELETE CASCADE,"
    " from_minute INTEGER NOT NULL,"
    " to_minute INTEGER NOT NULL,"
    " offset_minutes INTEGER NOT NULL) STRICT;"

    "CREATE TABLE home ("
    " machine_id INTEGER PRIMARY KEY REFERENCES machine ON DELETE CASCADE,"
    " asleep INTEGER NOT NULL,"
    " observed TEXT NOT NULL) STRICT;"
    "CREATE TABLE network ("
    " machine_id INTEGER NOT NULL REFERENCES machine ON DELETE CASCADE,"
    " mac TEXT NOT NULL,"
    " network TEXT NOT NULL) STRICT;"
    "CREATE INDEX network_machine ON network (machine_id);",

    "CREATE TABLE price ("
    " machine_id INTEGER PRIMARY KEY REFERENCES machine ON DELETE CASCADE,"
    " machine REAL,"
    " power_per_kwh REAL,"
    " cloud_per_gpu_hour REAL,"
    " since INTEGER NOT NULL,"
    " currency TEXT NOT NULL) STRICT;",
};
#define VERSION ((int64_t)(sizeof(steps) / sizeof(steps[0])))

/* The first value of a pragma or a count. SQLite's code. */
static int ask(struct store *store, const char *sql, int64_t *out) {
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *out = sqlite3_column_int64(statement, 0);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return rc;
}

static int take_step(struct store *store, int64_t version, struct why *why) {
    char mark[96];
    snprintf(mark, sizeof(mark), "PRAGMA application_id = %d; PRAGMA user_version = %lld;", APPLICATION_ID,
             (long long)version + 1);
    int rc = transaction_begin(store);
    if (rc) {
        why_set(why, "it cannot be written: %s", sqlite3_errmsg(store->db));
        return rc;
    }
    int sqlite_rc = sqlite3_exec(store->db, steps[version], NULL, NULL, NULL);
    if (sqlite_rc == SQLITE_OK)
        sqlite_rc = sqlite3_exec(store->db, mark, NULL, NULL, NULL);
    if (sqlite_rc != SQLITE_OK) {
        why_set(why, "it cannot be brought up to date: %s", sqlite3_errmsg(store->db));
        rc = store_errno(sqlite_rc);
    }
    return transaction_end(store, rc);
}

int schema_update(struct store *store, struct why *why) {
    int64_t application = 0, version = 0, tables = 0;
    int rc = ask(store, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK)
        rc = ask(store, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK)
        rc = ask(store, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc != SQLITE_OK) {
        why_set(why, "it cannot be read: %s", sqlite3_errmsg(store->db));
        return store_errno(rc);
    }
    if (application != APPLICATION_ID && (application != 0 || tables > 0)) {
        why_set(why, "it is a database, but not one of Sallyport's: is the state folder the right one?");
        return SP_EFORMAT;
    }
    if (version > VERSION) {
        why_set(why,
                "it was written by a newer version of Sallyport (schema %lld, this one knows %lld): install that "
                "version again, or restore the copy made before the update",
                (long long)version, (long long)VERSION);
        return SP_EVERSION;
    }
    for (; version < VERSION; version++) {
        rc = take_step(store, version, why);
        if (rc)
            return rc;
    }
    return 0;
}
