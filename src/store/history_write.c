/* What comes in every minute. */
#include "history_impl.h"

int history_add_row(struct history *history, int64_t machine_id, unsigned level, int64_t time, const uint8_t *bytes,
                    size_t n) {
    int rc = 0;
    sqlite3_stmt *statement =
        history_statement(history, HISTORY_ADD_ROW,
                          "INSERT OR REPLACE INTO value (machine_id, level, time, packed) VALUES (?, ?, ?, ?)", &rc);
    if (!statement)
        return rc;
    sqlite3_bind_int64(statement, 1, machine_id);
    sqlite3_bind_int64(statement, 2, level);
    sqlite3_bind_int64(statement, 3, time);
    sqlite3_bind_blob64(statement, 4, bytes, n, SQLITE_STATIC);
    return history_run(statement);
}

int history_add_subject(struct history *history, int64_t machine_id, const struct history_subject *subject) {
    int rc = 0;
    sqlite3_stmt *statement =
        history_statement(history, HISTORY_ADD_SUBJECT,
                          "INSERT OR REPLACE INTO subject (machine_id, id, name, label, gpu, since, "
                          "seen) VALUES (?, ?, ?, ?, ?, ?, ?)",
                          &rc);
    if (!statement)
        return rc;
    sqlite3_bind_int64(statement, 1, machine_id);
    sqlite3_bind_int64(statement, 2, subject->id);
    sqlite3_bind_text(statement, 3, subject->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, subject->label, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 5, subject->gpu);
    sqlite3_bind_int64(statement, 6, subject->since);
    sqlite3_bind_int64(statement, 7, subject->seen);
    return history_run(statement);
}

int history_add_use(struct history *history, int64_t machine_id, const struct history_use *use) {
    int rc = 0;
    sqlite3_stmt *statement = history_statement(
        history, HISTORY_ADD_USE,
        "INSERT INTO use (machine_id, day, gpu, user, busy_s, joules) SELECT ?1, ?2, ?3, ?4, ?5, ?6"
        " WHERE ?3 = ''"
        " OR EXISTS (SELECT 1 FROM use WHERE machine_id = ?1 AND day = ?2 AND gpu = ?3 AND user = ?4)"
        " OR (SELECT count(*) FROM use WHERE machine_id = ?1 AND day = ?2) < ?7"
        " ON CONFLICT DO UPDATE SET busy_s = busy_s + excluded.busy_s, joules = joules + excluded.joules",
        &rc);
    if (!statement)
        return rc;
    sqlite3_bind_int64(statement, 1, machine_id);
    sqlite3_bind_int64(statement, 2, use->day);
    sqlite3_bind_text(statement, 3, use->gpu, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, use->user, -1, SQLITE_STATIC);
    sqlite3_bind_double(statement, 5, use->busy_s);
    sqlite3_bind_double(statement, 6, use->joules);
    sqlite3_bind_int64(statement, 7, HISTORY_USES_A_DAY);
    return history_run(statement);
}

int history_write(struct history *history, const struct history_batch *batch) {
    int rc = history_begin(history);
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < batch->subject_count; i++)
        rc = history_add_subject(history, batch->subjects[i].machine_id, &batch->subjects[i].subject);
    for (size_t i = 0; rc == 0 && i < batch->row_count; i++) {
        const struct history_row *row = &batch->rows[i];
        rc = history_add_row(history, row->machine_id, 0, row->time, row->bytes, row->len);
    }
    for (size_t i = 0; rc == 0 && i < batch->use_count; i++)
        rc = history_add_use(history, batch->uses[i].machine_id, &batch->uses[i].use);
    return history_end(history, rc);
}
