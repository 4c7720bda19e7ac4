/* Runs prepared statements, and says what their failures mean. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/log.h"
#include "store_impl.h"

int store_errno(int rc) {
    switch (rc & 0xff) {
    case SQLITE_FULL:
        errno = ENOSPC;
        break;
    case SQLITE_NOMEM:
        errno = ENOMEM;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        errno = EBUSY;
        break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        errno = EACCES;
        break;
    default:
        errno = EIO;
        break;
    }
    return SP_ESYS;
}

/* Log and errno for a failure at work. */
static int fail(struct store *store, int rc, const char *doing) {
    log_error("database: %s: %s (%d)", doing, sqlite3_errmsg(store->db), sqlite3_extended_errcode(store->db));
    return store_errno(rc);
}

void query_begin(struct query *query, struct store *store, enum statement which, const char *sql) {
    *query = (struct query){.store = store};
    if (!store->statements[which]) {
        int rc = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &store->statements[which], NULL);
        if (rc != SQLITE_OK)
            query->rc = fail(store, rc, sql);
    }
    query->statement = store->statements[which];
}

static void bound(struct query *query, int rc) {
    if (rc != SQLITE_OK)
        query->rc = fail(query->store, rc, "binding");
}

void query_int(struct query *query, int64_t value) {
    if (!query->rc)
        bound(query, sqlite3_bind_int64(query->statement, ++query->bound, value));
}

void query_real(struct query *query, double value) {
    if (!query->rc)
        bound(query, sqlite3_bind_double(query->statement, ++query->bound, value));
}

void query_text(struct query *query, const char *value) {
    if (!query->rc)
        bound(query, sqlite3_bind_text(query->statement, ++query->bound, value ? value : "", -1, SQLITE_STATIC));
}

void query_blob(struct query *query, const void *bytes, size_t n) {
    if (!query->rc)
        bound(query, sqlite3_bind_blob64(query->statement, ++query->bound, bytes, n, SQLITE_STATIC));
}

bool query_row(struct query *query) {
    if (query->rc)
        return false;
    int rc = sqlite3_step(query->statement);
    switch (rc) {
    case SQLITE_ROW:
        return true;
    case SQLITE_DONE:
        return false;
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_TRIGGER: /* only the shared namespace raises one */
        query->rc = SP_EEXIST;
        return false;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        query->rc = SP_ENOENT;
        return false;
    default:
        query->rc = fail(query->store, rc, sqlite3_sql(query->statement));
        return false;
    }
}

int64_t query_get_int(struct query *query, int column) {
    return sqlite3_column_int64(query->statement, column);
}

double query_get_real(struct query *query, int column) {
    return sqlite3_column_double(query->statement, column);
}

void query_get_text(struct query *query, int column, char *to, size_t size) {
    const char *text = (const char *)sqlite3_column_text(query->statement, column);
    if (!text) { /* NULL, or out of memory */
        to[0] = '\0';
        return;
    }
    size_t len = strlen(text);
    if (len >= size) {
        len = size - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    memcpy(to, text, len);
    to[len] = '\0';
}

bool query_is_null(struct query *query, int column) {
    return sqlite3_column_type(query->statement, column) == SQLITE_NULL;
}

int query_end(struct query *query) {
    int saved = errno;
    if (query->statement) {
        sqlite3_reset(query->statement);
        sqlite3_clear_bindings(query->statement);
    }
    errno = saved;
    return query->rc;
}

int query_run(struct query *query) {
    query_row(query);
    return query_end(query);
}

int query_run_changed(struct query *query) {
    query_row(query);
    int changes = sqlite3_changes(query->store->db);
    int rc = query_end(query);
    return !rc && changes == 0 ? SP_ENOENT : rc;
}

int transaction_begin(struct store *store) {
    struct query query;
    query_begin(&query, store, STATEMENT_BEGIN, "BEGIN IMMEDIATE");
    return query_run(&query);
}

int transaction_end(struct store *store, int rc) {
    struct query query;
    int saved = errno;
    if (!rc) {
        query_begin(&query, store, STATEMENT_COMMIT, "COMMIT");
        rc = query_run(&query);
        if (!rc)
            return 0;
        saved = errno;
    }
    if (!sqlite3_get_autocommit(store->db)) { /* some failures have rolled back by themselves */
        query_begin(&query, store, STATEMENT_ROLLBACK, "ROLLBACK");
        query_run(&query);
    }
    errno = saved;
    return rc;
}

int light_begin(struct store *store) {
    int rc = sqlite3_exec(store->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
    return rc == SQLITE_OK ? transaction_begin(store) : fail(store, rc, "a light transaction");
}

int light_end(struct store *store, int rc) {
    rc = transaction_end(store, rc);
    int sqlite_rc = sqlite3_exec(store->db, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
    return sqlite_rc == SQLITE_OK ? rc : fail(store, sqlite_rc, "after a light transaction");
}

void *rows_add(struct rows *rows, struct query *query) {
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity ? rows->capacity * 2 : 8;
        char *items = reallocarray(rows->items, capacity, rows->size);
        if (!items) {
            query->rc = SP_ENOMEM;
            return NULL;
        }
        rows->items = items;
        rows->capacity = capacity;
    }
    char *item = rows->items + rows->count++ * rows->size;
    memset(item, 0, rows->size);
    return item;
}

int rows_end(struct rows *rows, struct query *query, void **items, size_t *count) {
    int rc = query_end(query);
    if (rc) {
        free(rows->items);
        return rc;
    }
    *items = rows->items;
    *count = rows->count;
    return 0;
}
