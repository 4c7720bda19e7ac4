#include "folder.h"

#include "memory.h"
#include "sallyport/base/str.h"

static struct memory_entry entry_for(const char *network, const char *box) {
    struct memory_entry entry = {.route = ROUTE_DIRECT, .used = 1000, .way = {.port = 40022}, .service = "ssh"};
    (void)str_copy(entry.network, sizeof entry.network, network);
    (void)str_copy(entry.box, sizeof entry.box, box);
    (void)str_copy(entry.way.address, sizeof entry.way.address, "203.0.113.7");
    (void)str_copy(entry.knock, sizeof entry.knock, "AAAAAAAAAAAAAAAAAAAAAA");
    return entry;
}

static struct memory_entry find(const char *state, const char *network, const char *box) {
    struct memory *memory;
    struct memory_entry entry;
    assert_int_equal(memory_load(state, &memory), 0);
    memory_find(memory, network, box, "ssh", &entry);
    memory_free(memory);
    return entry;
}

static void test_saved_and_found(void **state) {
    struct memory *memory;
    struct memory_entry entry = entry_for("192.168.1.5", "box1");
    entry.way.lan = true;
    entry.punch_failed = 77;
    memory_note_failed(&entry, &(struct answer_way){.address = "198.51.100.9", .port = 22}, 900);
    assert_int_equal(memory_save(*state, &entry, "198.51.100.1"), 0);
    struct memory_entry back = find(*state, "192.168.1.5", "box1");
    assert_int_equal(back.route, ROUTE_DIRECT);
    assert_true(way_same(&back.way, &entry.way) && back.way.lan);
    assert_string_equal(back.knock, entry.knock);
    assert_int_equal(back.used, 1000);
    assert_int_equal(back.punch_failed, 77);
    assert_int_equal(back.failed_count, 1);
    assert_int_equal(back.failed[0].at, 900);
    assert_int_equal(memory_load(*state, &memory), 0);
    assert_string_equal(memory_relay(memory), "198.51.100.1");
    memory_free(memory);
}

static void test_each_network_and_box_for_itself(void **state) {
    struct memory_entry one = entry_for("192.168.1.5", "box1"), other = entry_for("10.0.0.2", "box1");
    other.route = ROUTE_RELAYED;
    other.way.port = 0;
    assert_int_equal(memory_save(*state, &one, "198.51.100.1"), 0);
    assert_int_equal(memory_save(*state, &other, "198.51.100.1"), 0);
    assert_int_equal(find(*state, "192.168.1.5", "box1").route, ROUTE_DIRECT);
    assert_int_equal(find(*state, "10.0.0.2", "box1").route, ROUTE_RELAYED);
    assert_int_equal(find(*state, "10.0.0.2", "box1").way.port, 0);
    assert_int_equal(find(*state, "192.168.1.5", "box2").route, ROUTE_NONE);
    assert_string_equal(find(*state, "192.168.1.5", "box2").box, "box2");
    one.route = ROUTE_LAN;
    assert_int_equal(memory_save(*state, &one, "198.51.100.1"), 0);
    assert_int_equal(find(*state, "192.168.1.5", "box1").route, ROUTE_LAN);
}

static void test_it_does_not_grow_for_ever(void **state) {
    struct memory_entry entry = entry_for("10.0.0.2", "box");
    for (int i = 0; i < 230; i++) {
        (void)snprintf(entry.box, sizeof entry.box, "box%d", i);
        assert_int_equal(memory_save(*state, &entry, "198.51.100.1"), 0);
    }
    assert_int_equal(find(*state, "10.0.0.2", "box0").route, ROUTE_NONE);
    assert_int_equal(find(*state, "10.0.0.2", "box29").route, ROUTE_NONE);
    assert_int_equal(find(*state, "10.0.0.2", "box30").route, ROUTE_DIRECT);
    assert_int_equal(find(*state, "10.0.0.2", "box229").route, ROUTE_DIRECT);
}

static void test_one_that_is_saved_again_pushes_nobody_out(void **state) {
    struct memory_entry first = entry_for("10.0.0.2", "box1"), again = entry_for("10.0.0.2", "box2");
    assert_int_equal(memory_save(*state, &first, "198.51.100.1"), 0);
    for (int i = 0; i < 230; i++)
        assert_int_equal(memory_save(*state, &again, "198.51.100.1"), 0);
    assert_int_equal(find(*state, "10.0.0.2", "box1").route, ROUTE_DIRECT);
}

static void test_failures(void **state) {
    (void)state;
    struct memory_entry entry = {.failed_count = 0};
    struct answer_way way = {.address = "203.0.113.1", .port = 1}, other = {.address = "203.0.113.1", .port = 2};
    assert_false(memory_has_failed(&entry, &way, 1000));
    memory_note_failed(&entry, &way, 1000);
    assert_true(memory_has_failed(&entry, &way, 1000));
    assert_true(memory_has_failed(&entry, &way, 1000 + MEMORY_FAILED_S - 1));
    assert_false(memory_has_failed(&entry, &way, 1000 + MEMORY_FAILED_S));
    assert_false(memory_has_failed(&entry, &way, 999)); /* the clock was set back: better tried than not */
    assert_false(memory_has_failed(&entry, &other, 1000));
    memory_note_failed(&entry, &way, 2000);
    assert_int_equal(entry.failed_count, 1);
    memory_clear_failed(&entry, &other);
    memory_clear_failed(&entry, &way);
    assert_int_equal(entry.failed_count, 0);
    for (int port = 1; port <= MEMORY_FAILED_MAX + 1; port++) {
        way.port = (uint16_t)port;
        memory_note_failed(&entry, &way, 1000 + port);
    }
    assert_int_equal(entry.failed_count, MEMORY_FAILED_MAX);
    assert_int_equal(entry.failed[0].port, 2);
    assert_int_equal(entry.failed[MEMORY_FAILED_MAX - 1].port, MEMORY_FAILED_MAX + 1);
}

/* What cannot be read was never there, and is no reason to fail. */
static void test_damaged(void **state) {
    static const char wrong[] = "{\"ways\":[{\"network\":\"n\",\"box\":\"box1\",\"service\":\"ssh\",\"route\":\"warp\","
                                "\"address\":5,\"port\":-1,\"knock\":\"longer than any knock is, and by far\","
                                "\"failed\":[7,{\"address\":\"a\"}]}]}";
    const char *const texts[] = {
        "",
        "\x01garbage{",
        "[]",
        "{\"ways\":7,\"relay_address\":[]}",
        "{\"ways\":[1,null,{},{\"network\":\"n\",\"box\":1,\"service\":\"ssh\"}]}",
        wrong,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        folder_write(state, "routes.json", texts[i]);
        struct memory_entry entry = find(*state, "n", "box1");
        assert_int_equal(entry.route, ROUTE_NONE);
        assert_int_equal(entry.way.port, 0);
        assert_int_equal(entry.failed_count, 0);
        assert_string_equal(entry.knock, "");
        entry = entry_for("n", "box1");
        assert_int_equal(memory_save(*state, &entry, "198.51.100.1"), 0);
        assert_int_equal(find(*state, "n", "box1").route, ROUTE_DIRECT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_saved_and_found, folder_set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_each_network_and_box_for_itself, folder_set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_it_does_not_grow_for_ever, folder_set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_one_that_is_saved_again_pushes_nobody_out, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test(test_failures),
        cmocka_unit_test_setup_teardown(test_damaged, folder_set_up, folder_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
