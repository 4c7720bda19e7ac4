/* Statements and transactions of the history. */
#include "history_impl.h"

sqlite3_stmt *history_statement(struct history *history, enum history_statement which, const char *sql, int *rc) {
    if (!history->statements[which])
        *rc = history_errno(
            sqlite3_prepare_v3(history->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &history->statements[which], NULL));
    return history->statements[which];
}

int history_run(sqlite3_stmt *statement) {
    int rc = sqlite3_step(statement);
    sqlite3_reset(statement);
    return history_errno(rc);
}

static int run(struct history *history, enum history_statement which, const char *sql) {
    int rc = 0;
    sqlite3_stmt *statement = history_statement(history, which, sql, &rc);
    return statement ? history_run(statement) : rc;
}

int history_begin(struct history *history) {
    return run(history, HISTORY_BEGIN, "BEGIN IMMEDIATE");
}

int history_end(struct history *history, int rc) {
    if (rc == 0)
        rc = run(history, HISTORY_COMMIT, "COMMIT");
    if (rc < 0 && !sqlite3_get_autocommit(history->db))
        (void)run(history, HISTORY_ROLLBACK, "ROLLBACK");
    return rc;
}
