/* What is known of a process: its stat line, its container, its account, its kernel. */
#include "fixture.h"

#include "accounts.h"
#include "cgroup.h"
#include "process_details.h"
#include "process_table.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "ffff456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static bool container(const char *text, char to[static CONTAINER_ID_SIZE]) {
    return cgroup_container(text, strlen(text), to);
}

static void containers_by_their_paths(void **state) {
    static const char *const inside[] = {
        "0::/system.slice/docker-" ID ".scope\n",
        "12:memory:/docker/" ID "\n11:cpu,cpuacct:/docker/" ID "\n0::/system.slice/containerd.service\n",
        "0::/docker/" ID "\n",
        "0::/machine.slice/libpod-" ID ".scope/container\n",
        "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope/container",
        "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod2f_1.slice/cri-containerd-" ID ".scope\n",
        "5:devices:/kubepods/besteffort/pod6a9b1c2d-1111-2222-3333-444455556666/" ID "\n",
        "0::/system.slice/containerd.service/kubepods-besteffort-podx.slice:cri-containerd:" ID "\n",
        "0::/kubepods.slice/crio-" ID ".scope\n",
        "0::/system.slice/nerdctl-" ID ".scope\n",
        "0::/docker/" ID "/docker/" OTHER "\n",
    };
    static const char *const outside[] = {
        "0::/init.scope\n",
        "0::/\n",
        "",
        "0::/machine.slice/libpod-conmon-" ID ".scope\n",
        "0::/machine.slice/crio-conmon-" ID ".scope\n",
        "0::/x/" ID "a\n",
        "0::/x/0123456789abcdef\n",
        "0::/x/" ID "0123\n",
    };
    char id[CONTAINER_ID_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        if (!container(inside[i], id))
            fail_msg("%s", inside[i]);
        assert_string_equal(id, ID);
    }
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        if (container(outside[i], id))
            fail_msg("%s", outside[i]);
}

static void accounts(void **state) {
    static const char passwd[] =
        "root:x:0:0:root:/root:/bin/bash\nbad line\n:x:7:7::/:\nesc\x1b:x:8:8::/:\n"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:x:9:9::/:\n"
        "ann:x:1000:1000::/home/ann:/bin/zsh\nann2:x:1000:1000::/:\nshort:x:1001\nlast:x:1002:1";
    char name[ACCOUNT_NAME_SIZE], root[FIXTURE_PATH];
    static const struct {
        uid_t uid;
        const char *name;
    } expected[] = {{0, "root"}, {1000, "ann"},  {7, "7"},       {8, "8"},
                    {9, "9"},    {1001, "1001"}, {1002, "last"}, {4294967294U, "4294967294"}};
    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        account_parse(passwd, sizeof passwd - 1, expected[i].uid, name);
        assert_string_equal(name, expected[i].name);
    }
    fixture_new(root);
    account_name(root, 0, name);
    assert_string_equal(name, "0");
    fixture_write(root, "/etc/passwd", passwd);
    account_name(root, 1000, name);
    assert_string_equal(name, "ann");
    fixture_remove(root);
}

static bool parse(const char *text, struct process_stat *stat) {
    return process_stat_parse(text, strlen(text), stat);
}

static void stat_lines(void **state) {
    static const char *const bad[] = {"",
                                      "1",
                                      "1 (x)",
                                      "1 (x) S",
                                      "1 (x) S 1 1 1",
                                      "1 x S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
                                      "1 )x( S 1 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 5 1 1",
                                      NULL};
    struct process_stat stat;
    (void)state;
    assert_true(parse("4711 (my (odd) name) S 12 4711 4711 0 -1 4194560 1 2 3 4 150 50 7 8 20 0 3 0 86400 5000000 256 "
                      "18446744073709551615 1 1 0\n",
                      &stat));
    assert_string_equal(stat.comm, "my (odd) name");
    assert_int_equal(stat.parent, 12);
    assert_int_equal(stat.ticks, 200);
    assert_int_equal(stat.start, 86400);
    assert_int_equal(stat.memory, 256);
    assert_false(stat.is_kernel);
    assert_false(stat.is_over);
    assert_true(parse("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 1", &stat));
    assert_true(stat.is_kernel);
    assert_true(parse("9 (x) Z 1 1 1 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 1", &stat));
    assert_true(stat.is_over);
    for (size_t i = 0; bad[i] != NULL; i++)
        if (parse(bad[i], &stat))
            fail_msg("%s", bad[i]);
}

static void kernels(void **state) {
#define UUID "6f4e2b1a-1c2d-4e3f-8a9b-0c1d2e3f4a5b"
    char id[KERNEL_ID_SIZE];
    static const char good[] = "python\0-f\0/x/kernel-no.json\0/run/kernel-" UUID ".json\0";
    static const char *const bad[] = {
        "kernel-", "kernel-" UUID, "kernel-" UUID ".jso", "kernel-6F4E" UUID ".json", "kernel_" UUID ".json", ""};
    (void)state;
    assert_true(process_kernel_id(good, sizeof good, id));
    assert_string_equal(id, UUID);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *copy = strdup(bad[i]);
        assert_false(process_kernel_id(copy, strlen(copy), id));
        free(copy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(containers_by_their_paths),
        cmocka_unit_test(accounts),
        cmocka_unit_test(stat_lines),
        cmocka_unit_test(kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
