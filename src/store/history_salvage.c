/* What can still be read of a damaged history. */
#include "history_impl.h"
#include "sallyport/base/os.h"

/* The same columns in the damaged file and in ours; the order is that of worth. */
static const struct {
    const char *forwards, *backwards, *into;
    int columns;
} tables[] = {
    {"SELECT machine_id, day, gpu, user, busy_s, joules FROM use ORDER BY machine_id, day, gpu, user",
     "SELECT machine_id, day, gpu, user, busy_s, joules FROM use"
     " ORDER BY machine_id DESC, day DESC, gpu DESC, user DESC",
     "INSERT OR IGNORE INTO use (machine_id, day, gpu, user, busy_s, joules) VALUES (?, ?, ?, ?, ?, ?)", 6},
    {"SELECT machine_id, id, name, label, gpu, since, seen FROM subject ORDER BY machine_id, id",
     "SELECT machine_id, id, name, label, gpu, since, seen FROM subject ORDER BY machine_id DESC, id DESC",
     "INSERT OR IGNORE INTO subject (machine_id, id, name, label, gpu, since, seen) VALUES (?, ?, ?, ?, ?, ?, ?)", 7},
    {"SELECT machine_id, level, time, packed FROM value ORDER BY machine_id, level, time",
     "SELECT machine_id, level, time, packed FROM value ORDER BY machine_id DESC, level DESC, time DESC",
     "INSERT OR IGNORE INTO value (machine_id, level, time, packed) VALUES (?, ?, ?, ?)", 4},
};

/* Until the end, the time, or the damage. True: it was the end. */
static bool copy(sqlite3 *from, const char *select, sqlite3_stmt *into, int columns, uint64_t until, size_t *rows) {
    sqlite3_stmt *statement = NULL;
    int step = sqlite3_prepare_v2(from, select, -1, &statement, NULL);
    while (step == SQLITE_OK || step == SQLITE_ROW) {
        step = sqlite3_step(statement);
        if (step != SQLITE_ROW)
            break;
        for (int i = 0; i < columns; i++)
            sqlite3_bind_value(into, i + 1, sqlite3_column_value(statement, i));
        *rows += sqlite3_step(into) == SQLITE_DONE && sqlite3_reset(into) == SQLITE_OK;
        sqlite3_reset(into);
        if (os_monotonic_ms() > until)
            break;
    }
    sqlite3_finalize(statement);
    return step == SQLITE_DONE;
}

size_t history_salvage(struct history *history, const char *damaged, uint64_t ms) {
    /* A file that is shorter than its head says is opened only by those who may repair its schema. */
    static const char settings[] =
        "PRAGMA writable_schema = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;";
    uint64_t until = os_monotonic_ms() + ms;
    size_t rows = 0;
    sqlite3 *from = NULL;
    if (sqlite3_open_v2(damaged, &from, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
        sqlite3_exec(from, settings, NULL, NULL, NULL) != SQLITE_OK || history_begin(history) < 0) {
        (void)sqlite3_close(from);
        return 0;
    }
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        sqlite3_stmt *into = NULL;
        if (sqlite3_prepare_v2(history->db, tables[i].into, -1, &into, NULL) == SQLITE_OK &&
            !copy(from, tables[i].forwards, into, tables[i].columns, until, &rows))
            (void)copy(from, tables[i].backwards, into, tables[i].columns, until, &rows);
        sqlite3_finalize(into);
    }
    (void)sqlite3_close(from);
    return history_end(history, 0) == 0 ? rows : 0;
}
