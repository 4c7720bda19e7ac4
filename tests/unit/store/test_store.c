/* Opening the registry: new, ours, newer, foreign, damaged, in use. */
#include "place.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "sallyport/store/audit.h"
#include "sallyport/store/logins.h"
#include "sallyport/store/tokens.h"
#include "sallyport/store/users.h"

static void sql(const char *path, const char *text) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* It must not open, for that reason, with that sentence, and with the file's name in it. */
static void assert_refused(struct place *place, int rc, const char *sentence) {
    struct store *store = NULL;
    struct why why = {""};
    assert_int_equal(store_open(place->path, &store, &why), rc);
    assert_null(store);
    if (!strstr(why.text, sentence) || !strstr(why.text, place->path))
        fail_msg("%s", why.text);
}

static void test_new(void **state) {
    struct place *place = *state;
    struct stat st;
    assert_int_equal(stat(place->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    place_close(place);
    place_open(place);
    place_close(place);
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), "wal");
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

static void test_kept(void **state) {
    struct place *place = *state;
    struct user user;
    int64_t id;
    assert_int_equal(store_user_add(place->store, "alice", ROLE_ADMIN, NULL, 100, &id, NULL), 0);
    place_close(place);
    place_open(place);
    assert_int_equal(store_user_find(place->store, "alice", &user), 0);
    assert_int_equal(user.id, id);
    assert_int_equal(user.role, ROLE_ADMIN);
}

static void test_newer(void **state) {
    struct place *place = *state;
    place_close(place);
    sql(place->path, "PRAGMA user_version = 1000");
    assert_refused(place, SP_EVERSION, "written by a newer version");
}

/* A registry as the first version wrote it. */
static void test_older(void **state) {
    struct place *place = *state;
    uint8_t hash[STORE_HASH_SIZE];
    struct session session;
    struct user user;
    struct api_token token;
    int64_t alice, id;
    place_hash(hash, 1);
    assert_int_equal(store_user_add(place->store, "alice", ROLE_ADMIN, NULL, 100, &alice, NULL), 0);
    assert_int_equal(store_session_add(place->store, hash, alice, 100, 700, "", "", &id), 0);
    place_close(place);
    sql(place->path, "DROP TABLE service_session; DROP TABLE api_token; DROP TABLE claim; DROP TABLE alert;"
                     "DROP TABLE alert_setting; DROP TABLE notice; DROP TABLE channel; DROP TABLE quiet;"
                     "DROP TABLE home; DROP TABLE network; DROP TABLE price; PRAGMA user_version = 1");
    place_open(place);
    assert_int_equal(store_session_find(place->store, hash, 200, 1000, &session), 0);
    assert_int_equal(session.user.id, alice);
    assert_int_equal(store_token_add(place->store, hash, alice, "script", 100, NULL), 0);
    assert_int_equal(store_token_find(place->store, hash, &token, &user), 0);
    assert_int_equal(store_service_session_add(place->store, hash, id, 99, "jupyter", 100), SP_ENOENT);
}

static void test_foreign(void **state) {
    struct place *place = *state;
    place_close(place);
    unlink(place->path);
    sql(place->path, "CREATE TABLE other (a)");
    assert_refused(place, SP_EFORMAT, "not one of Sallyport's");
    sql(place->path, "PRAGMA application_id = 7; DROP TABLE other");
    assert_refused(place, SP_EFORMAT, "not one of Sallyport's");
}

static void fill(struct place *place) {
    struct audit_entry entry = {.time = 1, .actor = "alice", .action = "test", .outcome = "ok"};
    for (int i = 0; i < 500; i++) {
        entry.detail = "some words that take up room, so that there are pages enough to be lost";
        assert_int_equal(store_audit_add(place->store, &entry), 0);
    }
}

static void test_truncated(void **state) {
    struct place *place = *state;
    struct stat st;
    fill(place);
    place_close(place);
    assert_int_equal(stat(place->path, &st), 0);
    assert_true(st.st_size > 40000);
    assert_int_equal(truncate(place->path, st.st_size / 2), 0);
    assert_refused(place, SP_EFORMAT, "damaged");
    assert_int_equal(truncate(place->path, 50), 0);
    assert_refused(place, SP_EFORMAT, "restore it from a copy");
}

static void test_scribbled(void **state) {
    struct place *place = *state;
    char junk[6000];
    memset(junk, 'x', sizeof(junk));
    fill(place);
    place_close(place);
    int fd = open(place->path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, junk, sizeof(junk), 20000), sizeof(junk));
    assert_refused(place, SP_EFORMAT, "damaged");
    assert_int_equal(pwrite(fd, junk, 100, 0), 100);
    assert_refused(place, SP_EFORMAT, "not a database");
    close(fd);
}

static void test_no_folder(void **state) {
    struct place *place = *state;
    struct place nowhere = {.store = NULL};
    snprintf(nowhere.path, sizeof(nowhere.path), "%s/none/relay.db", place->dir);
    assert_refused(&nowhere, SP_ESYS, "No such file");
    snprintf(nowhere.path, sizeof(nowhere.path), "%s", place->dir);
    assert_refused(&nowhere, SP_ESYS, "directory");
}

static void test_tidy(void **state) {
    struct place *place = *state;
    uint8_t hash[STORE_HASH_SIZE];
    struct session session;
    struct why why;
    struct user user;
    int64_t id, day = 86400;
    assert_int_equal(store_user_add(place->store, "alice", ROLE_ADMIN, NULL, 100, &id, NULL), 0);
    place_hash(hash, 1);
    assert_int_equal(store_login_add(place->store, hash, id, 100, 700), 0);
    assert_int_equal(store_session_add(place->store, hash, id, 100, 700, "", "", &id), 0);
    assert_int_equal(store_tidy(place->store, 701 + 29 * day), 0);
    assert_int_equal(store_login_redeem(place->store, hash, 701, &user, &why), SP_EEXPIRED);
    assert_int_equal(store_session_find(place->store, hash, 600, day, &session), SP_ENOENT);
    assert_int_equal(store_tidy(place->store, 701 + 30 * day), 0);
    assert_int_equal(store_login_redeem(place->store, hash, 701, &user, &why), SP_ENOENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        place_test(test_new),       place_test(test_kept),      place_test(test_newer),
        place_test(test_older),     place_test(test_foreign),   place_test(test_truncated),
        place_test(test_scribbled), place_test(test_no_folder), place_test(test_tidy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
