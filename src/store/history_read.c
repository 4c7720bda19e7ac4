/* What is asked of the history. */
#include <stdlib.h>
#include <string.h>

#include "history_impl.h"
#include "sallyport/base/str.h"

int history_read(struct history *history, int64_t machine_id, unsigned level, int64_t from, int64_t to,
                 void (*row)(void *ctx, int64_t time, const struct sample *sample), void *ctx) {
    int rc = 0, step = SQLITE_DONE;
    sqlite3_stmt *statement =
        history_statement(history, HISTORY_ROWS,
                          "SELECT time, packed FROM value WHERE machine_id = ? AND level = ? AND time >= ? AND time < ?"
                          " ORDER BY time",
                          &rc);
    if (!statement)
        return rc;
    sqlite3_bind_int64(statement, 1, machine_id);
    sqlite3_bind_int64(statement, 2, level);
    sqlite3_bind_int64(statement, 3, from);
    sqlite3_bind_int64(statement, 4, to);
    while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
        struct sample sample;
        const void *bytes = sqlite3_column_blob(statement, 1);
        int n = sqlite3_column_bytes(statement, 1);
        if (bytes && n > 0 && sample_unpack(bytes, (size_t)n, &sample) == 0)
            row(ctx, sqlite3_column_int64(statement, 0), &sample);
    }
    sqlite3_reset(statement);
    return history_errno(step);
}

/* A text of the row, cut off where it does not fit. */
static void take_text(sqlite3_stmt *statement, int column, char *to, size_t size) {
    const char *text = (const char *)sqlite3_column_text(statement, column);
    size_t len = text ? str_cut(text, (size_t)sqlite3_column_bytes(statement, column), size - 1) : 0;
    /* Damage that SQLite does not see may make anything of a text. */
    if (!str_is_clean(text ? text : "", len)) {
        text = "?";
        len = 1;
    }
    if (len > 0)
        memcpy(to, text, len);
    to[len] = '\0';
}

static void read_subject(sqlite3_stmt *statement, void *item) {
    struct history_subject *subject = item;
    subject->id = (uint8_t)sqlite3_column_int(statement, 0);
    take_text(statement, 1, subject->name, sizeof(subject->name));
    take_text(statement, 2, subject->label, sizeof(subject->label));
    subject->gpu = sqlite3_column_int64(statement, 3);
    subject->since = sqlite3_column_int64(statement, 4);
    subject->seen = sqlite3_column_int64(statement, 5);
}

static void read_use(sqlite3_stmt *statement, void *item) {
    struct history_use *use = item;
    use->day = sqlite3_column_int(statement, 0);
    take_text(statement, 1, use->gpu, sizeof(use->gpu));
    take_text(statement, 2, use->user, sizeof(use->user));
    use->busy_s = sqlite3_column_double(statement, 3);
    use->joules = sqlite3_column_double(statement, 4);
}

/* All rows of a statement that is bound, `size` bytes each. */
static int collect(sqlite3_stmt *statement, size_t size, void (*read)(sqlite3_stmt *statement, void *item), void **out,
                   size_t *count) {
    size_t n = 0, room = 16;
    int step = SQLITE_DONE;
    char *items = malloc(room * size);
    while (items && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        if (n == room) {
            char *grown = reallocarray(items, room *= 2, size);
            if (!grown)
                free(items);
            items = grown;
            if (!items)
                break;
        }
        read(statement, items + n++ * size);
    }
    sqlite3_reset(statement);
    int rc = items ? history_errno(step) : SP_ENOMEM;
    if (rc < 0) {
        free(items);
        return rc;
    }
    *out = items;
    *count = n;
    return 0;
}

int history_subjects(struct history *history, int64_t machine_id, struct history_subject **out, size_t *count) {
    int rc = 0;
    void *items = NULL;
    sqlite3_stmt *statement = history_statement(history, HISTORY_SUBJECTS,
                                                "SELECT id, name, label, gpu, since, seen FROM subject WHERE "
                                                "machine_id = ? AND id BETWEEN 0 AND 254 ORDER BY id",
                                                &rc);
    if (!statement)
        return rc;
    sqlite3_bind_int64(statement, 1, machine_id);
    rc = collect(statement, sizeof(**out), read_subject, &items, count);
    if (rc == 0)
        *out = items;
    return rc;
}

int history_uses(struct history *history, int64_t machine_id, int32_t from, struct history_use **out, size_t *count) {
    int rc = 0;
    void *items = NULL;
    sqlite3_stmt *statement = history_statement(
        history, HISTORY_USES,
        "SELECT day, gpu, user, busy_s, joules FROM use WHERE machine_id = ? AND day >= ? ORDER BY day", &rc);
    if (!statement)
        return rc;
    sqlite3_bind_int64(statement, 1, machine_id);
    sqlite3_bind_int64(statement, 2, from);
    rc = collect(statement, sizeof(**out), read_use, &items, count);
    if (rc == 0)
        *out = items;
    return rc;
}
