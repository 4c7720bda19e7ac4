/* What the files of the history share. */
#ifndef SALLYPORT_STORE_HISTORY_IMPL_H
#define SALLYPORT_STORE_HISTORY_IMPL_H

#include <sqlite3.h>

#include "sallyport/store/history.h"

enum history_statement {
    HISTORY_BEGIN,
    HISTORY_COMMIT,
    HISTORY_ROLLBACK,
    HISTORY_ADD_ROW,
    HISTORY_ADD_SUBJECT,
    HISTORY_ADD_USE,
    HISTORY_MACHINES,
    HISTORY_ROLLED,
    HISTORY_UNROLLED,
    HISTORY_ROWS,
    HISTORY_OLDEST,
    HISTORY_DROP_ROWS,
    HISTORY_DROP_SUBJECTS,
    HISTORY_DROP_USES,
    HISTORY_SUBJECTS,
    HISTORY_USES,
    HISTORY_STATEMENTS
};

struct history {
    sqlite3 *db;
    sqlite3_stmt *statements[HISTORY_STATEMENTS];
};

/* SQLite's code as one of ours: 0, SP_EFORMAT (damaged), SP_EBUSY, SP_ENOMEM, SP_ESYS with errno. */
int history_errno(int sqlite_rc);
/* The statement, prepared at its first use, ready to be bound; NULL: *rc says why. */
sqlite3_stmt *history_statement(struct history *history, enum history_statement which, const char *sql, int *rc);
/* Steps a statement that gives no rows, and makes it ready again. */
int history_run(sqlite3_stmt *statement);
int history_begin(struct history *history);
/* Commits when rc is 0, else takes everything back. */
int history_end(struct history *history, int rc);

/* history_write.c: into a level. Inside the caller's transaction. */
int history_add_row(struct history *history, int64_t machine_id, unsigned level, int64_t time, const uint8_t *bytes,
                    size_t n);
int history_add_subject(struct history *history, int64_t machine_id, const struct history_subject *subject);
int history_add_use(struct history *history, int64_t machine_id, const struct history_use *use);

#endif
