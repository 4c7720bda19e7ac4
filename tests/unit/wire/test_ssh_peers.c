/* The server against peers that are not ours: libssh's own blocking client on a thread, and bare bytes. */
#include "ssh_pair.h"

#include <fcntl.h>
#include <libssh/libssh.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

enum { SOON_MS = 8000 }; /* and before the time to log in is over */

struct guest {
    struct pair *pair;
    int fd;
    ssh_session session;
    void (*act)(struct guest *guest);
    atomic_bool done, go;
    pthread_t thread;
    unsigned opened;
    uint64_t bytes;
    uint64_t rekey_bytes; /* new keys are due after so many; 0: when libssh likes */
    uint64_t most;
    bool logged_in;
};

static void nap(long ms) {
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

static long cpu_us(void) {
    struct rusage usage;
    (void)getrusage(RUSAGE_THREAD, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static bool guest_login(struct guest *guest) {
    char path[128];
    ssh_key key = NULL;
    bool off = false;
    (void)os_path(path, sizeof path, guest->pair->dir, "key");
    guest->session = ssh_new();
    bool ok = guest->session && ssh_options_set(guest->session, SSH_OPTIONS_FD, &guest->fd) == SSH_OK &&
              ssh_options_set(guest->session, SSH_OPTIONS_PROCESS_CONFIG, &off) == SSH_OK &&
              ssh_options_set(guest->session, SSH_OPTIONS_HOST, "relay") == SSH_OK &&
              ssh_options_set(guest->session, SSH_OPTIONS_USER, "box1") == SSH_OK &&
              (!guest->rekey_bytes ||
               ssh_options_set(guest->session, SSH_OPTIONS_REKEY_DATA, &guest->rekey_bytes) == SSH_OK) &&
              ssh_connect(guest->session) == SSH_OK &&
              ssh_pki_import_privkey_file(path, NULL, NULL, NULL, &key) == SSH_OK &&
              ssh_userauth_publickey(guest->session, NULL, key) == SSH_AUTH_SUCCESS;
    ssh_key_free(key);
    return ok;
}

static void *guest_run(void *ctx) {
    struct guest *guest = ctx;
    guest->logged_in = guest_login(guest);
    if (guest->logged_in)
        guest->act(guest);
    atomic_store(&guest->done, true);
    return NULL;
}

static bool guest_is_done(struct pair *pair) {
    struct guest *guest = pair->ctx;
    return atomic_load(&guest->done);
}

static void guest_prepare(struct pair *pair, struct guest *guest, void (*act)(struct guest *guest)) {
    *guest = (struct guest){.pair = pair, .act = act};
    pair->ctx = guest;
}

static void guest_start(struct guest *guest) {
    struct pair *pair = guest->pair;
    guest->fd = pair_accept(pair);
    int flags = fcntl(guest->fd, F_GETFL);
    assert_int_equal(fcntl(guest->fd, F_SETFL, flags & ~O_NONBLOCK), 0);
    assert_int_equal(pthread_create(&guest->thread, NULL, guest_run, guest), 0);
}

/* The guest's descriptor is closed, and the server must notice. */
static void guest_end(struct guest *guest) {
    (void)shutdown(guest->fd, SHUT_RDWR);
    (void)pthread_join(guest->thread, NULL);
    assert_true(guest->logged_in);
    ssh_free(guest->session);
}

static bool server_is_over(struct pair *pair) {
    return pair->there_over;
}

/* ---- bare bytes ---- */

static void test_the_server_speaks_first(void **state) {
    struct pair *pair = *state;
    char bytes[256] = "";
    int fd = pair_accept(pair);
    ssize_t n;
    do
        (void)pair_wait(pair, NULL, 10);
    while ((n = recv(fd, bytes, sizeof bytes - 1, MSG_DONTWAIT)) < 0 && errno == EAGAIN);
    assert_true(n > 8);
    assert_true(str_starts(bytes, "SSH-2.0-"));
    assert_null(strstr(bytes, "libssh"));
    assert_int_equal(close(fd), 0);
    assert_true(pair_wait(pair, server_is_over, SOON_MS));
}

static void end_after(struct pair *pair, const char *bytes, size_t n) {
    int fd = pair_accept(pair);
    if (n)
        assert_int_equal(send(fd, bytes, n, 0), (ssize_t)n);
    (void)pair_wait(pair, NULL, 20);
    assert_int_equal(close(fd), 0);
    assert_true(pair_wait(pair, server_is_over, SOON_MS));
}

static void test_a_peer_that_leaves_early(void **state) {
    struct pair *pair = *state;
    end_after(pair, "", 0);
    end_after(pair, "SSH", 3);
    end_after(pair, "SSH-2.0-x\r\n", 11);
    end_after(pair, "SSH-2.0-x\r\n\0\0\0\x0c", 15);
    end_after(pair, "SSH-1.5-old\r\n", 13);
    end_after(pair, "GET / HTTP/1.1\r\n\r\n", 18);
    end_after(pair, "SSH-2.0-x\r\n\xff\xff\xff\xff zzzzzzzzzzzzzzzzzzz", 32);
}

/* Half a hello and then the end of writing only: the server may wait for the deadline, but must not spin. */
static void test_a_half_closed_peer_costs_nothing(void **state) {
    struct pair *pair = *state;
    int fd = pair_accept(pair);
    assert_int_equal(send(fd, "SSH-2.0-x\r\n", 11, 0), 11);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    (void)pair_wait(pair, NULL, 50);
    long before = cpu_us();
    (void)pair_wait(pair, NULL, 500);
    assert_true(cpu_us() - before < 100000);
    assert_int_equal(close(fd), 0);
    assert_true(pair_wait(pair, server_is_over, SOON_MS));
}

/* ---- logged in ---- */

static void act_sessions_without_request(struct guest *guest) {
    for (int i = 0; i < 700; i++) {
        ssh_channel channel = ssh_channel_new(guest->session);
        if (ssh_channel_open_session(channel) == SSH_OK)
            guest->opened++;
        (void)ssh_channel_close(channel);
        ssh_channel_free(channel);
    }
}

static bool no_channels(struct pair *pair) {
    return pair->there && ssh_conn_channels(pair->there) == 0;
}

static void test_sessions_without_a_request_do_not_stay(void **state) {
    struct pair *pair = *state;
    struct guest guest;
    guest_prepare(pair, &guest, act_sessions_without_request);
    guest_start(&guest);
    assert_true(pair_wait(pair, guest_is_done, 20000));
    bool gone = pair_wait(pair, no_channels, SOON_MS);
    guest_end(&guest);
    assert_int_equal(guest.opened, 700);
    assert_true(gone);
}

static void act_fill_sessions(struct guest *guest) {
    static const char bytes[32768];
    for (int i = 0; i < 100; i++) {
        ssh_channel channel = ssh_channel_new(guest->session);
        if (ssh_channel_open_session(channel) != SSH_OK)
            return;
        guest->opened++;
        for (uint32_t window; (window = ssh_channel_window_size(channel)) > 0;) {
            int n = ssh_channel_write(channel, bytes, window < sizeof bytes ? window : sizeof bytes);
            if (n <= 0)
                return;
            guest->bytes += (uint64_t)n;
        }
    }
}

static void test_sessions_without_a_request_hold_no_data(void **state) {
    struct pair *pair = *state;
    struct guest guest;
    guest_prepare(pair, &guest, act_fill_sessions);
    guest_start(&guest);
    (void)pair_wait(pair, guest_is_done, 20000);
    (void)pair_wait(pair, NULL, 100);
    struct mallinfo2 now = mallinfo2();
    guest_end(&guest);
    assert_true(now.uordblks + now.hblkhd < (32u << 20));
    assert_true(guest.bytes < 16u << 20);
}

static void act_open_many(struct guest *guest) {
    for (int i = 0; i < 600; i++) {
        ssh_channel channel = ssh_channel_new(guest->session);
        if (ssh_channel_open_forward(channel, "box1", 22, "127.0.0.1", 1234) == SSH_OK)
            guest->opened++;
    }
}

static void test_channels_are_counted(void **state) {
    struct pair *pair = *state;
    struct guest guest;
    guest_prepare(pair, &guest, act_open_many);
    guest_start(&guest);
    assert_true(pair_wait(pair, guest_is_done, 20000));
    assert_int_equal(guest.opened, 512);
    assert_int_equal(pair->directs, 512);
    assert_string_equal(pair->direct_host, "box1");
    assert_int_equal(pair->direct_port, 22);
    guest_end(&guest);
    assert_true(pair_wait(pair, server_is_over, SOON_MS));
}

static void act_direct_refused(struct guest *guest) {
    for (int i = 0; i < 200; i++) {
        ssh_channel channel = ssh_channel_new(guest->session);
        char byte;
        if (ssh_channel_open_forward(channel, "box1", 22, "127.0.0.1", 1234) == SSH_OK)
            guest->opened++;
        while (ssh_channel_read(channel, &byte, 1, 0) > 0)
            guest->bytes++;
        ssh_channel_free(channel);
    }
}

static void test_a_refused_stream_is_closed(void **state) {
    struct pair *pair = *state;
    struct guest guest;
    pair->deny_direct = true;
    guest_prepare(pair, &guest, act_direct_refused);
    guest_start(&guest);
    assert_true(pair_wait(pair, guest_is_done, 20000));
    guest_end(&guest);
    assert_int_equal(pair->directs, 200);
    assert_int_equal(guest.bytes, 0);
    assert_true(pair_wait(pair, server_is_over, SOON_MS));
}

static void act_two_programs(struct guest *guest) {
    ssh_channel channel = ssh_channel_new(guest->session);
    if (ssh_channel_open_session(channel) != SSH_OK)
        return;
    if (ssh_channel_request_pty(channel) == SSH_OK)
        guest->opened++;
    if (ssh_channel_request_exec(channel, "one") == SSH_OK)
        guest->opened++;
    if (ssh_channel_request_exec(channel, "two") != SSH_OK)
        guest->opened++;
    if (ssh_channel_request_shell(channel) != SSH_OK)
        guest->opened++;
}

static void test_one_program_a_channel(void **state) {
    struct pair *pair = *state;
    struct guest guest;
    guest_prepare(pair, &guest, act_two_programs);
    guest_start(&guest);
    assert_true(pair_wait(pair, guest_is_done, 20000));
    guest_end(&guest);
    assert_int_equal(guest.opened, 4);
    assert_int_equal(pair->sessions, 1);
    assert_string_equal(pair->command, "one");
}

/* Reads until its library asks for new keys, and falls silent in the midst of it. */
static void act_stall_rekey(struct guest *guest) {
    static char bytes[1024];
    ssh_channel channel = ssh_channel_new(guest->session);
    if (ssh_channel_open_forward(channel, "box1", 22, "127.0.0.1", 1234) != SSH_OK)
        return;
    while (guest->bytes < guest->most) {
        int n = ssh_channel_read_timeout(channel, bytes, sizeof bytes, 0, 1000);
        if (n <= 0)
            break;
        guest->bytes += (uint64_t)n;
    }
    atomic_store(&guest->done, true);
    while (!atomic_load(&guest->go))
        nap(5);
}

/* Where in the stream the library asks is not known to the byte: a few places are tried. */
static void test_a_stalled_rekey_costs_nothing(void **state) {
    struct pair *pair = *state;
    struct guest guest;
    pair->fill = 64 << 20;
    for (unsigned i = 0; i < 6; i++) {
        guest_prepare(pair, &guest, act_stall_rekey);
        guest.rekey_bytes = 200000;
        guest.most = 200000 + i * 3000;
        guest_start(&guest);
        assert_true(pair_wait(pair, guest_is_done, 20000));
        (void)pair_wait(pair, NULL, 20);
        long before = cpu_us();
        (void)pair_wait(pair, NULL, 100);
        long spent = cpu_us() - before;
        atomic_store(&guest.go, true);
        guest_end(&guest);
        assert_true(pair_wait(pair, server_is_over, SOON_MS));
        assert_true(spent < 10000);
    }
}

#define PAIR_TEST(name) cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        PAIR_TEST(test_the_server_speaks_first),
        PAIR_TEST(test_a_peer_that_leaves_early),
        PAIR_TEST(test_a_half_closed_peer_costs_nothing),
        PAIR_TEST(test_channels_are_counted),
        PAIR_TEST(test_a_refused_stream_is_closed),
        PAIR_TEST(test_one_program_a_channel),
        PAIR_TEST(test_sessions_without_a_request_do_not_stay),
        PAIR_TEST(test_sessions_without_a_request_hold_no_data),
        PAIR_TEST(test_a_stalled_rekey_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
