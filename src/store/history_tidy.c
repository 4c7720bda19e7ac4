/* Finer rows are rolled up to coarser ones, and what is too old goes. */
#include <stdlib.h>
#include <string.h>

#include "history_impl.h"

/* Rows that are made or dropped in one transaction: so long, at most, a reader's file grows and a disk is busy. */
enum { ROLL_ROWS = 200, DROP_ROWS = 500, IDS_MAX = 100000 };

/* One number for a statement of a machine, a level and perhaps a time; `*none`: there is no row, or it is NULL. */
static int look_up(struct history *history, enum history_statement which, const char *sql, const int64_t *values,
                   size_t count, int64_t *out, bool *none) {
    int rc = 0;
    sqlite3_stmt *statement = history_statement(history, which, sql, &rc);
    *none = true;
    if (!statement)
        return rc;
    for (size_t i = 0; i < count; i++)
        sqlite3_bind_int64(statement, (int)i + 1, values[i]);
    int step = sqlite3_step(statement);
    *none = step != SQLITE_ROW || sqlite3_column_type(statement, 0) == SQLITE_NULL;
    if (!*none)
        *out = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return history_errno(step);
}

static void sum_row(void *ctx, int64_t time, const struct sample *sample) {
    (void)time;
    sample_sum_add(ctx, sample);
}

/* The next row of `level` that can be made from the level below. */
static int roll_one(struct history *history, int64_t machine_id, unsigned level, int64_t now, bool *made) {
    int64_t period = history_levels[level].period_s, done = 0, first = 0;
    bool none;
    int rc =
        look_up(history, HISTORY_ROLLED, "SELECT max(time) FROM value WHERE machine_id = ? AND level = ? AND time < ?",
                (int64_t[]){machine_id, level, now}, 3, &done, &none);
    int64_t from = none ? 0 : done + period;
    *made = false;
    if (rc == 0)
        rc = look_up(history, HISTORY_UNROLLED,
                     "SELECT min(time) FROM value WHERE machine_id = ? AND level = ? AND time >= ?",
                     (int64_t[]){machine_id, level - 1, from}, 3, &first, &none);
    first -= first % period;
    if (rc < 0 || none || first + period > now)
        return rc;
    struct sample_sum sum = {.count = 0};
    struct sample sample;
    uint8_t bytes[SAMPLE_BYTES_MAX];
    rc = history_read(history, machine_id, level - 1, first, first + period, sum_row, &sum);
    if (rc < 0)
        return rc;
    sample_sum_end(&sum, &sample);
    size_t n = sample_pack(&sample, bytes);
    if (n == 0) /* it still counts as done */
        bytes[n++] = 1;
    rc = history_add_row(history, machine_id, level, first, bytes, n);
    *made = rc == 0;
    return rc;
}

static int drop(struct history *history, enum history_statement which, const char *sql, const int64_t *values,
                size_t count, bool *any) {
    int rc = 0;
    sqlite3_stmt *statement = history_statement(history, which, sql, &rc);
    if (!statement)
        return rc;
    for (size_t i = 0; i < count; i++)
        sqlite3_bind_int64(statement, (int)i + 1, values[i]);
    rc = history_run(statement);
    *any |= rc == 0 && sqlite3_changes(history->db) > 0;
    return rc;
}

/* A portion of the rows of that level before `before`. */
static int drop_rows(struct history *history, int64_t machine_id, unsigned level, int64_t before, bool *any) {
    int64_t oldest = 0;
    bool none;
    int rc = look_up(history, HISTORY_OLDEST, "SELECT min(time) FROM value WHERE machine_id = ? AND level = ?",
                     (int64_t[]){machine_id, level}, 2, &oldest, &none);
    if (rc < 0 || none || oldest >= before)
        return rc;
    int64_t portion;
    if (!__builtin_add_overflow(oldest, DROP_ROWS * history_levels[level].period_s, &portion) && portion < before)
        before = portion;
    return drop(history, HISTORY_DROP_ROWS, "DELETE FROM value WHERE machine_id = ? AND level = ? AND time < ?",
                (int64_t[]){machine_id, level, before}, 3, any);
}

/* A machine that is gone. */
static int drop_machine(struct history *history, int64_t machine_id, bool *any) {
    int rc = 0;
    for (unsigned level = 0; rc == 0 && level < HISTORY_LEVELS; level++)
        rc = drop_rows(history, machine_id, level, INT64_MAX, any);
    if (rc < 0 || *any)
        return rc;
    rc = drop(history, HISTORY_DROP_USES, "DELETE FROM use WHERE machine_id = ?", &machine_id, 1, any);
    if (rc == 0)
        rc = drop(history, HISTORY_DROP_SUBJECTS, "DELETE FROM subject WHERE machine_id = ?", &machine_id, 1, any);
    *any = false; /* that was the last of it */
    return rc;
}

static int tidy_machine(struct history *history, int64_t machine_id, int64_t now, size_t *rolled, bool *more) {
    int rc = 0;
    for (unsigned level = 1; rc == 0 && level < HISTORY_LEVELS; level++) {
        bool made = true;
        while (rc == 0 && made && *rolled < ROLL_ROWS) {
            rc = roll_one(history, machine_id, level, now, &made);
            *rolled += made;
        }
    }
    *more |= *rolled >= ROLL_ROWS;
    for (unsigned level = 0; rc == 0 && level < HISTORY_LEVELS; level++) {
        bool any = false;
        int64_t before = now - history_levels[level].keep_s;
        rc = drop_rows(history, machine_id, level, before, &any);
    }
    return rc;
}

/* All machines of which there is anything; *out is the caller's. */
static int list_machines(struct history *history, int64_t **out, size_t *count) {
    int rc = 0, step = SQLITE_DONE;
    size_t n = 0, room = 0;
    int64_t *ids = NULL;
    sqlite3_stmt *statement =
        history_statement(history, HISTORY_MACHINES,
                          "SELECT machine_id FROM subject UNION SELECT machine_id FROM use ORDER BY machine_id", &rc);
    if (!statement)
        return rc;
    while (n < IDS_MAX && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        if (n == room) {
            room = room ? 2 * room : 64;
            int64_t *grown = reallocarray(ids, room, sizeof(*ids));
            if (!grown)
                break;
            ids = grown;
        }
        ids[n++] = sqlite3_column_int64(statement, 0);
    }
    sqlite3_reset(statement);
    rc = history_errno(step);
    if (rc < 0) {
        free(ids);
        return rc;
    }
    *out = ids;
    *count = n;
    return 0;
}

static int compare(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

int history_tidy(struct history *history, const int64_t *ids, size_t count, int64_t now, bool *more) {
    int64_t *there = NULL;
    size_t there_count = 0, rolled = 0;
    int rc = list_machines(history, &there, &there_count);
    *more = false;
    if (rc == 0)
        rc = history_begin(history);
    if (rc < 0) {
        free(there);
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < there_count; i++) {
        if (count > 0 && bsearch(&there[i], ids, count, sizeof(*ids), compare))
            rc = tidy_machine(history, there[i], now, &rolled, more);
        else
            rc = drop_machine(history, there[i], more);
    }
    free(there);
    return history_end(history, rc);
}
