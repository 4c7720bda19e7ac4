/* Two sockets joined in the kernel: every byte, both ends, at any speed, and no descriptor left over. */
#include "loop_thread.h"

#include <dirent.h>
#include <semaphore.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "sallyport/base/err.h"
#include "sallyport/wire/splice.h"

enum { MIB = 1 << 20, PATTERN = 65521 /* a prime: no piece of a copy or a pipe has this length */, CLOSE = 1000000 };

struct rig {
    struct loop_thread thread;
    int a[2], b[2]; /* [0] the test's, [1] the splice's */
    struct splice *splice;
    sem_t done;
    uint64_t from_a, from_b;
};

static void rig_done(void *ctx) {
    struct rig *rig = ctx;
    splice_count(rig->splice, &rig->from_a, &rig->from_b);
    rig->splice = NULL;
    sem_post(&rig->done);
}

/* On the loop's thread: begins to join the pairs, or closes. */
static void rig_take(void *ctx, int what) {
    struct rig *rig = ctx;
    if (what != CLOSE && splice_new(rig->thread.loop, rig->a[1], rig->b[1], rig_done, rig, &rig->splice) == 0)
        return;
    if (what == CLOSE && rig->splice)
        splice_close(rig->splice);
}

static void rig_init(struct rig *rig) {
    memset(rig, 0, sizeof(*rig));
    assert_int_equal(sem_init(&rig->done, 0, 0), 0);
    loop_thread_init(&rig->thread, rig_take, rig);
    loop_thread_start(&rig->thread);
}

static void rig_join(struct rig *rig) {
    tcp_pair(rig->a);
    tcp_pair(rig->b);
    loop_thread_give(&rig->thread, 0);
}

static void unix_pair(int pair[static 2]) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(os_nonblocking(pair[1]), 0);
}

static void rig_wait(struct rig *rig) {
    struct timespec until;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_sec += 60;
    assert_int_equal(sem_timedwait(&rig->done, &until), 0);
}

static void rig_fini(struct rig *rig) {
    loop_thread_join(&rig->thread);
    loop_thread_fini(&rig->thread);
    sem_destroy(&rig->done);
}

/* The calling process's descriptors. */
static size_t count_descriptors(void) {
    size_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* One direction, on a thread of its own. */
struct flow {
    pthread_t thread;
    int fd;
    size_t bytes;
    uint8_t seed;
    bool good; /* all went, or came as it went */
};

static void fill(uint8_t pattern[static 2 * PATTERN], uint8_t seed) {
    for (uint32_t i = 0; i < 2 * PATTERN; i++)
        pattern[i] = (uint8_t)((i % PATTERN) * 2654435761U >> 13 ^ seed);
}

static void *flow_send(void *ctx) {
    struct flow *flow = ctx;
    uint8_t *pattern = malloc(2 * PATTERN);
    size_t sent = 0;
    if (!pattern)
        return NULL;
    fill(pattern, flow->seed);
    while (sent < flow->bytes) {
        size_t left = flow->bytes - sent;
        ssize_t n = send(flow->fd, pattern + sent % PATTERN, left < PATTERN ? left : PATTERN, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    flow->good = sent == flow->bytes;
    (void)shutdown(flow->fd, SHUT_WR);
    free(pattern);
    return NULL;
}

static void *flow_receive(void *ctx) {
    struct flow *flow = ctx;
    uint8_t *pattern = malloc(2 * PATTERN), *got = malloc(PATTERN);
    size_t came = 0;
    ssize_t n = -1;
    bool same = true;
    if (pattern && got) {
        fill(pattern, flow->seed);
        while ((n = recv(flow->fd, got, PATTERN, 0)) > 0) {
            same = same && memcmp(got, pattern + came % PATTERN, (size_t)n) == 0;
            came += (size_t)n;
        }
    }
    flow->good = n == 0 && same && came == flow->bytes;
    free(pattern);
    free(got);
    return NULL;
}

static void flow_start(struct flow *flow, void *(*run)(void *ctx), int fd, size_t bytes, uint8_t seed) {
    *flow = (struct flow){.fd = fd, .bytes = bytes, .seed = seed};
    assert_int_equal(pthread_create(&flow->thread, NULL, run, flow), 0);
}

static void flow_check(struct flow *flow) {
    pthread_join(flow->thread, NULL);
    assert_true(flow->good);
}

static void close_ends(struct rig *rig) {
    close(rig->a[0]);
    close(rig->b[0]);
}

static void carry_both_ways(struct rig *rig, size_t bytes) {
    struct flow flows[4];
    flow_start(&flows[0], flow_send, rig->a[0], bytes, 1);
    flow_start(&flows[1], flow_receive, rig->b[0], bytes, 1);
    flow_start(&flows[2], flow_send, rig->b[0], bytes + 1, 2);
    flow_start(&flows[3], flow_receive, rig->a[0], bytes + 1, 2);
    for (int i = 0; i < 4; i++)
        flow_check(&flows[i]);
    rig_wait(rig);
    assert_int_equal(rig->from_a, bytes);
    assert_int_equal(rig->from_b, bytes + 1);
    close_ends(rig);
}

static void test_both_ways(void **state) {
    struct rig rig;
    (void)state;
    rig_init(&rig);
    rig_join(&rig);
    carry_both_ways(&rig, 200 * (size_t)MIB + 7);
    rig_fini(&rig);
}

/* Floods that stop without an end: the last bytes come, whatever was gathered, and a question finds its answer while a
 * flood goes the same way. */
static void stop_and_go(struct rig *rig) {
    static uint8_t pattern[2 * PATTERN], got[MIB];
    fill(pattern, 7);
    for (size_t round = 0, sent = 0, came = 0; round < 20; round++) {
        size_t total = 3 * (size_t)MIB + 977 * round + 1;
        for (size_t n = 0; n < total || came < sent;) {
            size_t piece = total - n < 32768 ? total - n : 32768;
            if (piece > 0) {
                assert_int_equal(send(rig->a[0], pattern + sent % PATTERN, piece, 0), piece);
                n += piece;
                sent += piece;
            }
            ssize_t more = recv(rig->b[0], got, sizeof(got), n < total ? MSG_DONTWAIT : 0);
            for (ssize_t i = 0; i < more; i += 4093)
                assert_int_equal(got[i], pattern[(came + (size_t)i) % PATTERN]);
            came += more > 0 ? (size_t)more : 0;
            assert_true(more > 0 || n < total);
            if (n == 2 * (size_t)MIB)
                assert_int_equal(send(rig->b[0], "?", 1, 0), 1);
        }
        assert_int_equal(recv(rig->a[0], got, 1, 0), 1);
    }
}

static void test_stop_and_go(void **state) {
    struct rig rig;
    (void)state;
    rig_init(&rig);
    for (int kind = 0; kind < 2; kind++) {
        if (kind == 0) {
            rig_join(&rig);
        } else {
            unix_pair(rig.a);
            unix_pair(rig.b);
            loop_thread_give(&rig.thread, 0);
        }
        stop_and_go(&rig);
        close_ends(&rig);
        rig_wait(&rig);
    }
    rig_fini(&rig);
}

static void test_unix_sockets(void **state) {
    struct rig rig;
    (void)state;
    rig_init(&rig);
    unix_pair(rig.a);
    unix_pair(rig.b);
    loop_thread_give(&rig.thread, 0);
    carry_both_ways(&rig, 20 * (size_t)MIB + 7);
    rig_fini(&rig);
}

/* Without a descriptor for a pipe the bytes are copied. */
static void test_no_descriptors(void **state) {
    struct rlimit before, few;
    struct rig rig;
    (void)state;
    rig_init(&rig);
    rig_join(&rig);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    carry_both_ways(&rig, 20 * (size_t)MIB + 7);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    rig_fini(&rig);
}

/* Asks and is answered after the asker's end, from both sides. */
static void test_half_close(void **state) {
    struct rig rig;
    (void)state;
    rig_init(&rig);
    for (int side = 0; side < 2; side++) {
        rig_join(&rig);
        int asker = side ? rig.b[0] : rig.a[0], answerer = side ? rig.a[0] : rig.b[0];
        struct flow flow;
        char got[16];
        assert_int_equal(send(asker, "question", 8, 0), 8);
        assert_int_equal(shutdown(asker, SHUT_WR), 0);
        assert_int_equal(recv(answerer, got, sizeof(got), MSG_WAITALL), 8);
        assert_memory_equal(got, "question", 8);
        assert_int_equal(recv(answerer, got, sizeof(got), 0), 0);
        flow_start(&flow, flow_send, answerer, 5 * (size_t)MIB, 3);
        struct flow back = {.fd = asker, .bytes = 5 * (size_t)MIB, .seed = 3};
        flow_receive(&back);
        assert_true(back.good);
        flow_check(&flow);
        rig_wait(&rig);
        close_ends(&rig);
    }
    rig_fini(&rig);
}

/* A large answer whose end comes with it, to one who reads it late. */
static void test_end_behind_data(void **state) {
    struct rig rig;
    struct flow flow;
    struct timespec moment = {.tv_nsec = 50000000};
    (void)state;
    rig_init(&rig);
    for (size_t bytes = 0; bytes < 200000; bytes += 32768 - bytes % 3) {
        rig_join(&rig);
        flow_start(&flow, flow_send, rig.a[0], bytes, 9);
        assert_int_equal(shutdown(rig.b[0], SHUT_WR), 0);
        if (bytes == 98302)
            (void)nanosleep(&moment, NULL);
        struct flow back = {.fd = rig.b[0], .bytes = bytes, .seed = 9};
        flow_receive(&back);
        assert_true(back.good);
        flow_check(&flow);
        rig_wait(&rig);
        close_ends(&rig);
    }
    rig_fini(&rig);
}

/* Microseconds of processor time that the loop's thread took so far. */
static int64_t loop_cpu(const struct rig *rig) {
    clockid_t id;
    struct timespec used;
    assert_int_equal(pthread_getcpuclockid(rig->thread.thread, &id), 0);
    assert_int_equal(clock_gettime(id, &used), 0);
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

/* Writes until nothing goes any more for a while. */
static size_t write_until_full(int fd, const uint8_t *pattern) {
    size_t sent = 0;
    for (int idle = 0; idle < 20;) {
        ssize_t n = send(fd, pattern + sent % PATTERN, PATTERN, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            sent += (size_t)n;
            idle = 0;
            continue;
        }
        struct timespec moment = {.tv_nsec = 10000000};
        (void)nanosleep(&moment, NULL);
        idle++;
    }
    return sent;
}

static void test_stalled_reader(void **state) {
    static uint8_t pattern[2 * PATTERN];
    int small = 65536;
    struct rig rig;
    struct flow flows[2];
    (void)state;
    rig_init(&rig);
    tcp_pair(rig.a);
    tcp_pair(rig.b);
    /* What the kernel itself keeps is bounded here, so that what we keep shows. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(setsockopt(rig.a[i], SOL_SOCKET, i ? SO_RCVBUF : SO_SNDBUF, &small, sizeof(small)), 0);
        assert_int_equal(setsockopt(rig.b[i], SOL_SOCKET, i ? SO_SNDBUF : SO_RCVBUF, &small, sizeof(small)), 0);
    }
    loop_thread_give(&rig.thread, 0);
    fill(pattern, 4);
    size_t sent = write_until_full(rig.a[0], pattern);
    assert_in_range(sent, 1, 4 * (size_t)MIB);
    int64_t before = loop_cpu(&rig);
    struct timespec moment = {.tv_nsec = 300000000};
    (void)nanosleep(&moment, NULL);
    assert_in_range(loop_cpu(&rig) - before, 0, 20000); /* it waits, it does not spin */
    flow_start(&flows[0], flow_send, rig.b[0], 20 * (size_t)MIB, 5);
    flow_start(&flows[1], flow_receive, rig.a[0], 20 * (size_t)MIB, 5);
    flow_check(&flows[0]);
    flow_check(&flows[1]);
    assert_int_equal(shutdown(rig.a[0], SHUT_WR), 0);
    struct flow late = {.fd = rig.b[0], .bytes = sent, .seed = 4};
    flow_receive(&late);
    assert_true(late.good);
    rig_wait(&rig);
    close_ends(&rig);
    rig_fini(&rig);
}

static void reset(int fd) {
    struct linger now = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close(fd);
}

/* Whatever goes on in the other direction. */
static void test_reset(void **state) {
    static uint8_t pattern[2 * PATTERN];
    struct rig rig;
    char got[16];
    (void)state;
    rig_init(&rig);
    for (int how = 0; how < 6; how++) {
        rig_join(&rig);
        int gone = how % 2 ? rig.b[0] : rig.a[0], other = how % 2 ? rig.a[0] : rig.b[0];
        assert_int_equal(send(gone, "x", 1, 0), 1);
        assert_int_equal(recv(other, got, 1, 0), 1);
        if (how / 2 == 1) /* full of what nobody reads */
            (void)write_until_full(other, pattern);
        if (how / 2 == 2) { /* half closed, and silent since */
            assert_int_equal(shutdown(gone, SHUT_WR), 0);
            assert_int_equal(recv(other, got, 1, 0), 0);
        }
        reset(gone);
        rig_wait(&rig);
        if (how / 2 == 0)
            assert_true(recv(other, got, sizeof(got), 0) <= 0);
        close(other);
    }
    rig_fini(&rig);
}

/* Last words before a reset, as of a server that did not read all: they arrive. */
static void test_last_words(void **state) {
    struct rig rig;
    char got[16];
    (void)state;
    rig_init(&rig);
    for (int i = 0; i < 50; i++) {
        tcp_pair(rig.a);
        tcp_pair(rig.b);
        assert_int_equal(send(rig.b[1], "not read", 8, 0), 8);
        assert_int_equal(recv(rig.b[0], got, 8, MSG_PEEK | MSG_WAITALL), 8);
        assert_int_equal(send(rig.b[0], "goodbye", 7, 0), 7);
        close(rig.b[0]);
        loop_thread_give(&rig.thread, 0);
        assert_int_equal(recv(rig.a[0], got, 7, MSG_WAITALL), 7);
        assert_memory_equal(got, "goodbye", 7);
        rig_wait(&rig);
        close(rig.a[0]);
    }
    rig_fini(&rig);
}

static void test_close(void **state) {
    struct rig rig;
    struct flow flow;
    char got[16];
    (void)state;
    rig_init(&rig);
    rig_join(&rig);
    assert_int_equal(send(rig.a[0], "x", 1, 0), 1);
    assert_int_equal(recv(rig.b[0], got, 1, 0), 1);
    loop_thread_give(&rig.thread, CLOSE);
    rig_wait(&rig);
    assert_true(recv(rig.a[0], got, 1, 0) <= 0);
    assert_true(recv(rig.b[0], got, 1, 0) <= 0);
    assert_int_equal(rig.from_a, 1);
    close_ends(&rig);
    /* In the middle of much. */
    rig_join(&rig);
    flow_start(&flow, flow_send, rig.a[0], SIZE_MAX, 1);
    for (size_t n = 0; n < 4 * (size_t)MIB; n += sizeof(got))
        assert_int_equal(recv(rig.b[0], got, sizeof(got), MSG_WAITALL), sizeof(got));
    loop_thread_give(&rig.thread, CLOSE);
    rig_wait(&rig);
    pthread_join(flow.thread, NULL);
    assert_false(flow.good);
    close_ends(&rig);
    rig_fini(&rig);
}

/* Few bytes at a time cost no pipe; much does, and gives it back. */
static void exchange(struct rig *rig, int times) {
    char got;
    for (int i = 0; i < times; i++) {
        char letter = (char)i;
        assert_int_equal(send(rig->a[0], &letter, 1, 0), 1);
        assert_int_equal(recv(rig->b[0], &got, 1, 0), 1);
        assert_int_equal(got, letter);
        assert_int_equal(send(rig->b[0], &letter, 1, 0), 1);
        assert_int_equal(recv(rig->a[0], &got, 1, 0), 1);
        assert_int_equal(got, letter);
    }
}

struct piece {
    int fd;
    const char *bytes;
};

static void *send_piece(void *ctx) {
    const struct piece *piece = ctx;
    (void)send(piece->fd, piece->bytes, MIB, MSG_NOSIGNAL);
    return NULL;
}

static void test_tiny(void **state) {
    static char much[MIB], same[MIB];
    struct rig rig;
    (void)state;
    rig_init(&rig);
    rig_join(&rig);
    size_t before = count_descriptors();
    exchange(&rig, 2000);
    assert_int_equal(count_descriptors(), before);
    for (int i = 0; i < 3; i++) {
        memset(much, i + 1, sizeof(much));
        struct piece piece = {rig.a[0], much};
        pthread_t sender;
        assert_int_equal(pthread_create(&sender, NULL, send_piece, &piece), 0);
        assert_int_equal(recv(rig.b[0], same, sizeof(same), MSG_WAITALL), sizeof(same));
        pthread_join(sender, NULL);
        assert_memory_equal(much, same, sizeof(much));
        assert_in_range(count_descriptors(), before + 2, before + 3); /* a pipe, and a clock if it was quick */
        exchange(&rig, 20);
        struct timespec moment = {.tv_nsec = 1000000};
        for (int waits = 0; count_descriptors() != before && waits < 20000; waits++)
            (void)nanosleep(&moment, NULL);
        assert_int_equal(count_descriptors(), before);
    }
    close_ends(&rig);
    rig_wait(&rig);
    rig_fini(&rig);
}

static void test_nothing_left(void **state) {
    static char piece[100000];
    struct rig rig;
    char got;
    (void)state;
    rig_init(&rig);
    size_t before = count_descriptors();
    for (int i = 0; i < 3000; i++) {
        rig_join(&rig);
        if (i % 3 == 1)
            assert_int_equal(send(rig.a[0], piece, sizeof(piece), 0), sizeof(piece));
        if (i % 3 == 2) {
            assert_int_equal(send(rig.a[0], "x", 1, 0), 1);
            assert_int_equal(recv(rig.b[0], &got, 1, 0), 1);
        }
        if (i % 2)
            close_ends(&rig);
        else
            loop_thread_give(&rig.thread, CLOSE);
        rig_wait(&rig);
        if (i % 2 == 0)
            close_ends(&rig);
    }
    assert_int_equal(count_descriptors(), before);
    rig_fini(&rig);
}

static void stop(void *ctx) {
    loop_stop(ctx);
}

static void test_new_refused(void **state) {
    struct rig rig;
    struct splice *unused = NULL;
    char got;
    (void)state;
    rig_init(&rig);
    loop_thread_join(&rig.thread);
    tcp_pair(rig.a);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* epoll takes no files */
    assert_true(file >= 0);
    assert_int_equal(splice_new(rig.thread.loop, rig.a[1], file, rig_done, &rig, &unused), SP_ESYS);
    assert_null(unused);
    assert_int_equal(send(rig.a[1], "x", 1, 0), 1); /* still ours, and not watched any more */
    assert_int_equal(recv(rig.a[0], &got, 1, 0), 1);
    struct loop_timer timer;
    loop_timer_init(rig.thread.loop, &timer, stop, rig.thread.loop);
    assert_int_equal(loop_timer_set(&timer, 0), 0);
    assert_int_equal(send(rig.a[0], "x", 1, 0), 1);
    assert_int_equal(loop_run(rig.thread.loop), 0);
    close(file);
    close(rig.a[0]);
    close(rig.a[1]);
    loop_thread_fini(&rig.thread);
    sem_destroy(&rig.done);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),       cmocka_unit_test(test_unix_sockets),
        cmocka_unit_test(test_no_descriptors),  cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_end_behind_data), cmocka_unit_test(test_stalled_reader),
        cmocka_unit_test(test_reset),           cmocka_unit_test(test_last_words),
        cmocka_unit_test(test_close),           cmocka_unit_test(test_tiny),
        cmocka_unit_test(test_nothing_left),    cmocka_unit_test(test_new_refused),
        cmocka_unit_test(test_stop_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
