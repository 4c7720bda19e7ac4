/* The search for sshd: made-up processes and configurations, and a real sshd run by an ordinary user. */
#include "fake_server.h"
#include "patient_ask.h"

#include <grp.h>

#include "sallyport/base/err.h"
#include "sallyport/probe/sshd.h"

static const struct fake_page greeting[] = {{"", "SSH-2.0-OpenSSH_9.2p1\r\n"}, {NULL, NULL}};
static const struct fake_page website[] = {{"", "220 mail\r\n"}, {NULL, NULL}};
static const struct fake_page mute[] = {{"x", NULL}, {NULL, NULL}};

struct bench {
    char root[FIXTURE_PATH];
    struct loop *loop;
    struct sshd_finder *finder;
    struct listeners listeners;
    struct listener rows[8];
    bool asked; /* in the last look */
};

static void settled(void *ctx) {
    struct bench *bench = ctx;
    loop_stop(bench->loop);
}

static int set_up(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    fixture_new(bench->root);
    fixture_process(bench->root, 1, "systemd", 0, "/sbin/init", 1);
    assert_int_equal(loop_new(&bench->loop), 0);
    assert_int_equal(sshd_finder_new(bench->loop, bench->root, settled, bench, &bench->finder), 0);
    bench->listeners.items = bench->rows;
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    sshd_finder_free(bench->finder);
    loop_free(bench->loop);
    fixture_remove(bench->root);
    free(bench);
    return 0;
}

static void listens(struct bench *bench, uint16_t port, uint64_t inode, uid_t uid) {
    bench->rows[bench->listeners.count++] = (struct listener){.port = port,
                                                              .inode = inode,
                                                              .uid = uid,
                                                              .family = 4,
                                                              .address_class = LISTEN_LOOPBACK,
                                                              .address = {127, 0, 0, 1}};
}

/* The port that was found, or 0. */
static uint16_t look(struct bench *bench, bool changed) {
    assert_int_equal(sshd_finder_look(bench->finder, &bench->listeners, changed), 0);
    bench->asked = sshd_finder_busy(bench->finder);
    if (bench->asked)
        run_within(bench->loop, 60000);
    assert_false(sshd_finder_busy(bench->finder));
    const struct listener *place = sshd_finder_place(bench->finder);
    return place == NULL ? 0 : place->port;
}

static void a_listening_sshd_of_root(void **state) {
    struct bench *bench = *state;
    fixture_process(bench->root, 50, "sshd", 1, "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", 500);
    listens(bench, 22, 500, 0);
    assert_int_equal(look(bench, true), 22);
    assert_false(bench->asked);
    assert_true(sshd_is_system(bench->root, sshd_finder_place(bench->finder)));
    /* it stays while its socket does, and goes with it */
    listens(bench, 80, 501, 0);
    assert_int_equal(look(bench, true), 22);
    bench->rows[0] = bench->rows[1];
    bench->listeners.count = 1;
    assert_int_equal(look(bench, true), 0);
}

static void a_port_that_only_the_process_knows(void **state) {
    struct bench *bench = *state;
    fixture_process(bench->root, 50, "dropbear", 1, "/usr/sbin/dropbear -p 2200", 500);
    listens(bench, 2200, 500, 0);
    assert_int_equal(look(bench, true), 2200);
    assert_false(sshd_is_system(bench->root, sshd_finder_place(bench->finder)));
}

static void the_configured_one_of_two(void **state) {
    struct bench *bench = *state;
    fixture_write(bench->root, "/etc/ssh/sshd_config", "Port 2300\n");
    fixture_process(bench->root, 50, "sshd", 1, "sshd: /usr/sbin/sshd -f /x [listener] 0 of 10-100 startups", 500);
    fixture_process(bench->root, 51, "sshd", 1, "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", 501);
    listens(bench, 2200, 500, 0);
    listens(bench, 2300, 501, 0);
    assert_int_equal(look(bench, true), 2300);
    assert_true(sshd_is_system(bench->root, sshd_finder_place(bench->finder)));
    assert_false(sshd_is_system(bench->root, &bench->rows[0]));
}

static void the_configured_port_comes_before_another_sshd(void **state) {
    struct bench *bench = *state;
    fixture_write(bench->root, "/etc/ssh/sshd_config", "Port 2300\n");
    fixture_process(bench->root, 50, "sshd", 1, "sshd: /usr/sbin/sshd -f /x [listener] 0 of 10-100 startups", 500);
    listens(bench, 2200, 500, 0);
    listens(bench, 2300, 1, 0); /* systemd's, until somebody comes */
    assert_int_equal(look(bench, true), 2300);
}

static void forwards_of_sessions_are_no_sshd(void **state) {
    struct bench *bench = *state;
    fixture_process(bench->root, 50, "sshd", 1, "sshd: root@pts/0", 500);
    fixture_process(bench->root, 60, "dropbear", 1, "/usr/sbin/dropbear", 1);
    fixture_process(bench->root, 61, "dropbear", 60, "/usr/sbin/dropbear", 501);
    fixture_process(bench->root, 70, "sshd-session", 1, "sshd-session: ann", 502);
    fixture_process(bench->root, 80, "nginx", 1, "sshd: [listener]", 503);
    listens(bench, 3000, 500, 0);
    listens(bench, 3001, 501, 0);
    listens(bench, 3002, 502, 0);
    listens(bench, 3003, 503, 0);
    assert_int_equal(look(bench, true), 0);
}

static void sshd_of_another_user_is_not_the_machines(void **state) {
    struct bench *bench = *state;
    fixture_process(bench->root, 50, "sshd", 1, "sshd: /usr/sbin/sshd -D [listener]", 500);
    listens(bench, 2200, 500, geteuid() + 1);
    assert_int_equal(look(bench, true), 0);
    assert_false(bench->asked);
}

static void the_configuration_names_a_port(void **state) {
    struct bench *bench = *state;
    fixture_write(bench->root, "/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\n");
    fixture_write(bench->root, "/etc/ssh/sshd_config.d/port.conf", "Port 2022\n");
    listens(bench, 2022, 500, 0);
    assert_int_equal(look(bench, true), 2022);
    assert_false(bench->asked);
}

static void a_greeting_tells(void **state) {
    struct bench *bench = *state;
    struct fake sshd, web;
    char config[64];
    fake_start(&sshd, 0, greeting);
    fake_start(&web, 0, website);
    (void)snprintf(config, sizeof config, "Port %u\nPort %u\n", web.port, sshd.port);
    fixture_write(bench->root, "/etc/ssh/sshd_config", config);
    listens(bench, web.port, web.inode, geteuid());
    listens(bench, sshd.port, sshd.inode, geteuid());
    bench->rows[1].uid++; /* anybody can greet on a port above 1023 */
    assert_int_equal(look(bench, true), 0);
    bench->rows[1].uid--;
    assert_int_equal(look(bench, true), sshd.port);
    assert_true(bench->asked);
    assert_int_equal(look(bench, true), sshd.port);
    assert_false(bench->asked);
    fake_stop(&sshd);
    fake_stop(&web);
}

static void silence_is_asked_again(void **state) {
    struct bench *bench = *state;
    struct fake sshd;
    char config[64];
    fake_start(&sshd, 0, mute);
    patient_ask_silent = sshd.port;
    (void)snprintf(config, sizeof config, "Port %u\n", sshd.port);
    fixture_write(bench->root, "/etc/ssh/sshd_config", config);
    listens(bench, sshd.port, sshd.inode, geteuid());
    assert_int_equal(look(bench, true), 0);
    assert_int_equal(look(bench, false), 0);
    assert_true(bench->asked);
    fake_stop(&sshd);
    assert_int_equal(look(bench, false), 0); /* refused: that is an answer */
    assert_int_equal(look(bench, false), 0);
    assert_false(bench->asked);
}

static void configuration(void **state) {
    struct bench *bench = *state;
    struct sshd_config config;
    sshd_config_read(bench->root, &config);
    assert_int_equal(config.port_count, 0);
    fixture_write(bench->root, "/etc/ssh/sshd_config",
                  "# Port 1\n  port 2201\nPort=2202\nPort = 2203 # why\nPORT \"2204\"\nPort 2201\nPort x\nPort 65536\n"
                  "Port\nListenAddress 10.0.0.1:2205\nListenAddress [::1]:2206\nListenAddress ::1\n"
                  "ListenAddress 0.0.0.0\nInclude sub/*.conf\nHostKey /keys/a\nHostKey relative\nPort \"22\n"
                  "Match User ann\nPort 2299\n");
    fixture_write(bench->root, "/etc/ssh/sub/1.conf", "Port 2207\r\nMatch all\nPort 2298\n");
    fixture_write(bench->root, "/etc/ssh/sub/2.conf", "Port 2208\nInclude sub/2.conf\nInclude /nowhere\n");
    sshd_config_read(bench->root, &config);
    assert_int_equal(config.port_count, 8);
    for (size_t i = 0; i < config.port_count; i++)
        assert_int_equal(config.ports[i], 2201 + i);
    assert_int_equal(config.host_key_count, 1);
    assert_string_equal(config.host_keys[0], "/keys/a");
}

static void host_keys(void **state) {
    struct bench *bench = *state;
    struct sshd_keys keys;
    sshd_keys_read(bench->root, &keys);
    assert_int_equal(keys.count, 0);
    fixture_write(bench->root, "/etc/ssh/ssh_host_ecdsa_key.pub", "ecdsa-sha2-nistp256 AAAAE2Vj= root@a b c \"d\n");
    fixture_write(bench->root, "/etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAAC3Nz\n");
    fixture_write(bench->root, "/etc/ssh/ssh_host_bad_key.pub", "ssh-ed25519\n");
    fixture_write(bench->root, "/etc/ssh/ssh_host_worse_key.pub", "ssh-ed25519 AA\x1b[2JAA\n");
    fixture_write(bench->root, "/etc/ssh/other_key.pub", "ssh-rsa AAAA\n");
    sshd_keys_read(bench->root, &keys);
    assert_int_equal(keys.count, 2);
    assert_string_equal(keys.text[0], "ecdsa-sha2-nistp256 AAAAE2Vj=");
    assert_string_equal(keys.text[1], "ssh-ed25519 AAAAC3Nz");
    fixture_write(bench->root, "/etc/ssh/sshd_config", "HostKey /etc/ssh/other_key\nHostKey /etc/ssh/gone\n");
    sshd_keys_read(bench->root, &keys);
    assert_int_equal(keys.count, 1);
    assert_string_equal(keys.text[0], "ssh-rsa AAAA");
}

static pid_t run(const char *const *words) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL)
            _exit(1);
        execv(words[0], (char *const *)(uintptr_t)words);
        _exit(127);
    }
    return pid;
}

/* An sshd that an ordinary user runs on a port of its own; /proc tells of it. */
static void a_real_sshd(void **state) {
    struct bench *bench = *state;
    struct fake place;
    char key[FIXTURE_PATH], config[FIXTURE_PATH], text[2 * FIXTURE_PATH];
    int status;
    fake_start(&place, 0, mute); /* a port that is free */
    fake_stop(&place);
    fixture_path(bench->root, "/key", key);
    const char *const keygen[] = {"/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key, NULL};
    assert_int_equal(waitpid(run(keygen), &status, 0) > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 99, 0);
    (void)snprintf(text, sizeof text, "Port %u\nListenAddress 127.0.0.1\nHostKey %s\nPidFile none\nUsePAM no\n",
                   place.port, key);
    fixture_write(bench->root, "/config", text);
    fixture_path(bench->root, "/config", config);
    const char *const words[] = {"/usr/sbin/sshd", "-D", "-f", config, NULL};
    pid_t sshd = run(words);

    struct listeners all;
    const struct listener *listener = NULL;
    listeners_init(&all);
    for (int i = 0; i < 100 && listener == NULL; i++) {
        run_for(bench->loop, 50);
        assert_int_equal(listeners_read(&all, ""), 0);
        listener = listeners_find(&all, place.port);
    }
    assert_non_null(listener);
    listens(bench, listener->port, listener->inode, listener->uid); /* alone: others run sshds too */
    struct sshd_finder *finder;
    assert_int_equal(sshd_finder_new(bench->loop, "", settled, bench, &finder), 0);
    sshd_finder_free(bench->finder);
    bench->finder = finder;
    assert_int_equal(look(bench, true), place.port);
    assert_false(sshd_is_system("", sshd_finder_place(bench->finder)));

    assert_int_equal(kill(sshd, SIGTERM), 0);
    assert_int_equal(waitpid(sshd, NULL, 0), sshd);
    bench->listeners.count = 0;
    assert_int_equal(look(bench, true), 0);
    listeners_fini(&all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_listening_sshd_of_root, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_port_that_only_the_process_knows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_configured_one_of_two, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_configured_port_comes_before_another_sshd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forwards_of_sessions_are_no_sshd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sshd_of_another_user_is_not_the_machines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_configuration_names_a_port, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_greeting_tells, set_up, tear_down),
        cmocka_unit_test_setup_teardown(silence_is_asked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(configuration, set_up, tear_down),
        cmocka_unit_test_setup_teardown(host_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_real_sshd, set_up, tear_down),
    };
    /* all of it as an ordinary user, for whom the search is hardest; root's sockets are made up */
    if (geteuid() == 0) {
        if (setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
            return 1;
        (void)prctl(PR_SET_DUMPABLE, 1); /* or the search for leaks at the end is not allowed */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
