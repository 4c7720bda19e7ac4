/* The audit: newest first, cut to size, bounded. */
#include "place.h"

#include <sqlite3.h>

#include "sallyport/store/audit.h"

static void test_audit(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct audit_entry entry = {
        .time = 100,
        .actor = "alice",
        .action = "reach",
        .object = "box1/ssh",
        .outcome = "refused",
        .detail = "policy",
    };
    struct audit_row *rows;
    size_t count;
    char text[400];
    assert_int_equal(store_audit_add(store, &entry), 0);
    for (size_t i = 0; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[sizeof(text) - 2] = '\0';
    entry = (struct audit_entry){.time = 101, .actor = text, .detail = text};
    assert_int_equal(store_audit_add(store, &entry), 0);
    assert_int_equal(store_audit_list(store, NULL, 10, &rows, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].time, 101);
    assert_int_equal(strlen(rows[0].actor), 62); /* 31 whole characters */
    assert_int_equal(strlen(rows[0].detail), 254);
    assert_string_equal(rows[0].action, "");
    assert_string_equal(rows[1].actor, "alice");
    assert_string_equal(rows[1].action, "reach");
    assert_string_equal(rows[1].object, "box1/ssh");
    assert_string_equal(rows[1].outcome, "refused");
    assert_string_equal(rows[1].detail, "policy");
    free(rows);
    assert_int_equal(store_audit_list(store, NULL, 1, &rows, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].time, 101);
    free(rows);
}

static void test_bound(void **state) {
    struct place *place = *state;
    struct audit_entry entry = {.time = 7, .actor = "last"};
    struct audit_row *rows;
    size_t count;
    sqlite3_stmt *statement;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100500)"
                                  " INSERT INTO audit (time, actor, action, object, outcome, detail)"
                                  " SELECT i, '', '', '', '', '' FROM n",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(store_audit_add(place->store, &entry), 0);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM audit", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int64(statement, 0), STORE_AUDIT_MAX);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    assert_int_equal(store_audit_list(place->store, NULL, SIZE_MAX, &rows, &count), 0);
    assert_int_equal(count, STORE_AUDIT_MAX);
    assert_string_equal(rows[0].actor, "last");
    assert_int_equal(rows[count - 1].time, 502);
    free(rows);
}

static void expect_about(struct store *store, const char *about, const char *wanted) {
    struct audit_row *rows;
    size_t count;
    char got[16] = "";
    assert_int_equal(store_audit_list(store, about, 10, &rows, &count), 0);
    for (size_t i = 0; i < count; i++)
        got[i] = (char)('0' + rows[i].time);
    free(rows);
    assert_string_equal(got, wanted);
}

static void test_about(void **state) {
    struct store *store = ((struct place *)*state)->store;
    const struct audit_entry entries[] = {
        {.time = 1, .actor = "alice", .object = "box1/ssh"},
        {.time = 2, .actor = "box1", .object = ""},
        {.time = 3, .actor = "bob", .object = "alice", .detail = "box1/x"},
        {.time = 4, .actor = "bob", .object = "box11"},
        {.time = 5, .actor = "box11", .object = "box1"},
    };
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
        assert_int_equal(store_audit_add(store, &entries[i]), 0);
    expect_about(store, NULL, "54321");
    expect_about(store, "box1", "5321");
    expect_about(store, "alice", "31");
    expect_about(store, "box1/ssh", "1");
    expect_about(store, "box1/", "");
    expect_about(store, "b%", "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        place_test(test_audit),
        place_test(test_bound),
        place_test(test_about),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
