/* Sessions by id, their list, and what hangs on them on the host names of services. */
#include "place.h"

#include "sallyport/store/logins.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"

#define IDLE 1000

struct people {
    struct store *store;
    int64_t alice, bob, box1, box2;
};

static struct people people_make(void **state) {
    struct people people = {.store = ((struct place *)*state)->store};
    assert_int_equal(store_user_add(people.store, "alice", ROLE_ADMIN, NULL, 100, &people.alice, NULL), 0);
    assert_int_equal(store_user_add(people.store, "bob", ROLE_MEMBER, NULL, 100, &people.bob, NULL), 0);
    assert_int_equal(store_machine_add(people.store, "box1", NULL, 100, &people.box1, NULL), 0);
    assert_int_equal(store_machine_add(people.store, "box2", NULL, 100, &people.box2, NULL), 0);
    return people;
}

static int64_t session_make(const struct people *people, uint8_t fill, int64_t user, int64_t now) {
    uint8_t hash[STORE_HASH_SIZE];
    int64_t id = 0;
    place_hash(hash, fill);
    assert_int_equal(store_session_add(people->store, hash, user, now, 10000, "::1", "Browser", &id), 0);
    return id;
}

static int service_add(const struct people *people, uint8_t fill, int64_t session, int64_t machine, const char *name) {
    uint8_t hash[STORE_HASH_SIZE];
    place_hash(hash, fill);
    return store_service_session_add(people->store, hash, session, machine, name, 100);
}

static int service_find(const struct people *people, uint8_t fill, int64_t now, struct service_session *out) {
    uint8_t hash[STORE_HASH_SIZE];
    place_hash(hash, fill);
    return store_service_session_find(people->store, hash, now, IDLE, out);
}

static void test_by_id(void **state) {
    struct people people = people_make(state);
    struct session session = {.id = 4242};
    int64_t id = session_make(&people, 1, people.bob, 100);
    assert_int_equal(store_session_get(people.store, id + 1, 200, IDLE, &session), SP_ENOENT);
    assert_int_equal(session.id, 4242);
    assert_int_equal(store_session_get(people.store, id, 1099, IDLE, &session), 0);
    assert_int_equal(session.id, id);
    assert_string_equal(session.user.name, "bob");
    assert_int_equal(session.expires, 10000);
    assert_int_equal(store_session_get(people.store, id, 1100, IDLE, &session), SP_EEXPIRED);
    assert_int_equal(store_session_touch(people.store, id, 9900), 0);
    assert_int_equal(store_session_get(people.store, id, 10000, IDLE, &session), SP_EEXPIRED);
    assert_int_equal(store_session_remove(people.store, id), 0);
    assert_int_equal(store_session_get(people.store, id, 200, IDLE, &session), SP_ENOENT);
}

static void test_list(void **state) {
    struct people people = people_make(state);
    struct session_row *rows;
    size_t count;
    int64_t first = session_make(&people, 1, people.alice, 100);
    int64_t second = session_make(&people, 2, people.alice, 200);
    session_make(&people, 3, people.bob, 200);
    assert_int_equal(store_session_touch(people.store, first, 300), 0);
    assert_int_equal(store_session_list(people.store, people.alice, 400, IDLE, &rows, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].id, first);
    assert_int_equal(rows[0].last_used, 300);
    assert_int_equal(rows[1].id, second);
    assert_int_equal(rows[1].created, 200);
    assert_int_equal(rows[1].expires, 10000);
    assert_string_equal(rows[1].address, "::1");
    assert_string_equal(rows[1].agent, "Browser");
    free(rows);
    /* What store_session_find would refuse is not shown. */
    assert_int_equal(store_session_list(people.store, people.alice, 1200, IDLE, &rows, &count), 0);
    assert_int_equal(count, 1);
    free(rows);
    assert_int_equal(store_session_list(people.store, people.alice, 10000, 10000, &rows, &count), 0);
    assert_int_equal(count, 0);
    free(rows);
}

static void test_remove_others(void **state) {
    struct people people = people_make(state);
    struct session session;
    int64_t kept = session_make(&people, 1, people.alice, 100);
    int64_t gone = session_make(&people, 2, people.alice, 100);
    int64_t other = session_make(&people, 3, people.bob, 100);
    assert_int_equal(store_session_remove_others(people.store, people.alice, kept), 0);
    assert_int_equal(store_session_get(people.store, kept, 200, IDLE, &session), 0);
    assert_int_equal(store_session_get(people.store, gone, 200, IDLE, &session), SP_ENOENT);
    assert_int_equal(store_session_remove_others(people.store, people.alice, 0), 0);
    assert_int_equal(store_session_get(people.store, kept, 200, IDLE, &session), SP_ENOENT);
    assert_int_equal(store_session_get(people.store, other, 200, IDLE, &session), 0);
}

static void test_service_session(void **state) {
    struct people people = people_make(state);
    struct service_session found = {.machine_id = 4242};
    int64_t id = session_make(&people, 1, people.bob, 100);
    assert_int_equal(service_add(&people, 11, id + 1, people.box1, "jupyter"), SP_ENOENT);
    assert_int_equal(service_add(&people, 11, id, 99, "jupyter"), SP_ENOENT);
    assert_int_equal(service_add(&people, 11, id, people.box1, "jupyter"), 0);
    assert_int_equal(service_add(&people, 12, id, people.box1, "board"), 0);
    assert_int_equal(service_find(&people, 1, 200, &found),
                     SP_ENOENT); /* a token of the one kind is none of the other */
    assert_int_equal(found.machine_id, 4242);
    assert_int_equal(service_find(&people, 11, 200, &found), 0);
    assert_int_equal(found.machine_id, people.box1);
    assert_string_equal(found.service, "jupyter");
    assert_int_equal(found.session.id, id);
    assert_string_equal(found.session.user.name, "bob");
    assert_int_equal(found.session.last_used, 100);
    assert_int_equal(service_add(&people, 13, id, people.box1, "jupyter"), 0); /* takes the place of the first */
    assert_int_equal(service_find(&people, 11, 200, &found), SP_ENOENT);
    assert_int_equal(service_find(&people, 13, 200, &found), 0);
    assert_int_equal(service_find(&people, 12, 200, &found), 0);
    assert_string_equal(found.service, "board");
    assert_int_equal(service_find(&people, 12, 1100, &found), SP_EEXPIRED);
    assert_int_equal(store_session_touch(people.store, id, 9900), 0);
    assert_int_equal(service_find(&people, 12, 9999, &found), 0);
    assert_int_equal(service_find(&people, 12, 10000, &found), SP_EEXPIRED);
}

/* Nothing outlives what it hangs on. */
static void test_cascade(void **state) {
    struct people people = people_make(state);
    struct service_session found;
    int64_t session = session_make(&people, 1, people.bob, 100);
    int64_t doomed = session_make(&people, 2, people.bob, 100);
    int64_t alices = session_make(&people, 3, people.alice, 100);
    assert_int_equal(service_add(&people, 11, session, people.box1, "jupyter"), 0);
    assert_int_equal(service_add(&people, 12, session, people.box2, "jupyter"), 0);
    assert_int_equal(service_add(&people, 13, doomed, people.box1, "jupyter"), 0);
    assert_int_equal(service_add(&people, 14, alices, people.box1, "jupyter"), 0);
    assert_int_equal(store_session_remove(people.store, doomed), 0);
    assert_int_equal(service_find(&people, 13, 200, &found), SP_ENOENT);
    assert_int_equal(service_find(&people, 11, 200, &found), 0);
    assert_int_equal(store_machine_remove(people.store, people.box2), 0);
    assert_int_equal(service_find(&people, 12, 200, &found), SP_ENOENT);
    assert_int_equal(service_find(&people, 11, 200, &found), 0);
    assert_int_equal(store_user_set_disabled(people.store, people.bob, true), 0);
    assert_int_equal(service_find(&people, 11, 200, &found), SP_ENOENT);
    assert_int_equal(service_find(&people, 14, 200, &found), 0);
    assert_int_equal(store_tidy(people.store, 10001), 0);
    assert_int_equal(service_find(&people, 14, 200, &found), SP_ENOENT);
}

/* The session that makes room for a further one takes along what hangs on it. */
static void test_trim(void **state) {
    struct people people = people_make(state);
    struct service_session found;
    int64_t first = session_make(&people, 1, people.bob, 100);
    assert_int_equal(service_add(&people, 201, first, people.box1, "jupyter"), 0);
    for (uint8_t i = 0; i < STORE_SESSIONS_MAX; i++) {
        assert_int_equal(service_find(&people, 201, 200, &found), 0);
        session_make(&people, (uint8_t)(10 + i), people.bob, 101);
    }
    assert_int_equal(service_find(&people, 201, 200, &found), SP_ENOENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        place_test(test_by_id),           place_test(test_list),    place_test(test_remove_others),
        place_test(test_service_session), place_test(test_cascade), place_test(test_trim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
