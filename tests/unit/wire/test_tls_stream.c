/* The stream inside TLS by itself: refused bytes, short writes, and every way in which a connection ends. */
#include "loop_thread.h"

#include "cert_folder.h"

#include <dirent.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/wire/tls.h"

#define BIG ((size_t)8 << 20)
#define SOON_MS 20000

struct bench {
    struct cert_folder files;
    struct tls_server *server;
    struct loop *loop;
    struct stream *stream; /* the newest one; NULL before `ready` and after close */
    struct tls_conn *conn;
    SSL_CTX *client_ctx;
    SSL *ssl; /* the client's */
    int fd;
    unsigned fds; /* open ones, before anything */
    uint8_t *bytes;
    uint8_t *got;
    size_t got_len, allowance; /* takes no more than this in all */
    size_t sent;
    bool push;           /* writes on when it may */
    bool resume_in_data; /* lets itself be called again from there */
    bool close_in_data, inside;
    unsigned failed, ends, closeds, writables, datas;
    struct loop_timer stop, look;
    bool (*until)(struct bench *bench);
    bool late;
};

static unsigned open_fds(void) {
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;
    assert_non_null(dir);
    while (readdir(dir)) {
        count++;
    }
    closedir(dir);
    return count;
}

static void stream_close(struct bench *bench) {
    bench->inside = true;
    bench->stream->ops->close(bench->stream);
    bench->inside = false;
    bench->stream = NULL;
}

static size_t on_data(void *ctx, const uint8_t *bytes, size_t n) {
    struct bench *bench = ctx;
    size_t room = bench->allowance - bench->got_len;
    size_t take = n < room ? n : room;
    assert_false(bench->inside);
    assert_true(bench->got_len + take <= BIG);
    memcpy(bench->got + bench->got_len, bytes, take);
    bench->got_len += take;
    bench->datas++;
    if (bench->close_in_data) {
        stream_close(bench);
    } else if (bench->resume_in_data) {
        bench->allowance = BIG;
        bench->stream->ops->resume(bench->stream);
    }
    return take;
}

static void on_end(void *ctx) {
    struct bench *bench = ctx;
    assert_false(bench->inside);
    bench->ends++;
}

static void stream_push(struct bench *bench) {
    ssize_t n = 1;
    bench->inside = true;
    while (bench->sent < BIG && n > 0) {
        size_t some = BIG - bench->sent < 100000 ? BIG - bench->sent : 100000;
        n = bench->stream->ops->write(bench->stream, bench->bytes + bench->sent, some);
        bench->sent += n > 0 ? (size_t)n : 0;
        if (n < (ssize_t)some) {
            break;
        }
    }
    bench->inside = false;
    if (bench->sent == BIG) {
        stream_close(bench);
    }
}

static void on_writable(void *ctx) {
    struct bench *bench = ctx;
    assert_false(bench->inside);
    bench->writables++;
    if (bench->push) {
        stream_push(bench);
    }
}

static void on_closed(void *ctx) {
    struct bench *bench = ctx;
    assert_false(bench->inside);
    bench->closeds++;
}

static const struct stream_events stream_events = {on_data, on_end, on_writable, on_closed};

static void on_ready(void *ctx, struct stream *stream) {
    struct bench *bench = ctx;
    bench->stream = stream;
    stream_listen(stream, &stream_events, bench);
}

static void on_failed(void *ctx) {
    struct bench *bench = ctx;
    bench->failed++;
}

static void bench_stop(void *ctx) {
    struct bench *bench = ctx;
    bench->late = true;
    loop_stop(bench->loop);
}

static void bench_look(void *ctx) {
    struct bench *bench = ctx;
    if (bench->until(bench)) {
        loop_stop(bench->loop);
    } else {
        assert_int_equal(loop_timer_set(&bench->look, 1), 0);
    }
}

/* Turns until the condition holds; with none, for so long. False: it did not come about within ms. */
static bool turn(struct bench *bench, bool (*until)(struct bench *bench), uint64_t ms) {
    bench->until = until;
    bench->late = false;
    assert_int_equal(loop_timer_set(&bench->stop, ms), 0);
    if (until) {
        assert_int_equal(loop_timer_set(&bench->look, 0), 0);
    }
    assert_int_equal(loop_run(bench->loop), 0);
    loop_timer_stop(&bench->stop);
    loop_timer_stop(&bench->look);
    return !bench->late;
}

/* The client's blocking calls, beside the loop. Returns what `script` returned. */
struct aside {
    struct bench *bench;
    bool (*script)(struct bench *bench);
    struct loop_fd done;
    int tell;
    bool good;
};

static void *aside_run(void *ctx) {
    struct aside *aside = ctx;
    aside->good = aside->script(aside->bench);
    (void)close(aside->tell);
    return NULL;
}

static void aside_done(void *ctx, uint32_t events) {
    struct aside *aside = ctx;
    (void)events;
    loop_stop(aside->bench->loop);
}

static bool beside(struct bench *bench, bool (*script)(struct bench *bench)) {
    struct aside aside = {.bench = bench, .script = script};
    pthread_t thread;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    aside.tell = ends[1];
    loop_fd_init(&aside.done);
    assert_int_equal(loop_fd_add(bench->loop, &aside.done, ends[0], EPOLLIN, aside_done, &aside), 0);
    assert_int_equal(pthread_create(&thread, NULL, aside_run, &aside), 0);
    assert_int_equal(loop_run(bench->loop), 0);
    pthread_join(thread, NULL);
    loop_fd_remove(&aside.done);
    close(ends[0]);
    return aside.good;
}

static bool is_ready(struct bench *bench) {
    return bench->stream != NULL;
}

static bool client_connects(struct bench *bench) {
    return SSL_connect(bench->ssl) == 1;
}

static void client_new(struct bench *bench) {
    static const struct tls_events events = {on_ready, on_failed};
    int ends[2], on = 1;
    tcp_pair(ends);
    /* So that two writes are there together, when the loop looks. */
    assert_int_equal(setsockopt(ends[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    bench->fd = ends[0];
    bench->ssl = SSL_new(bench->client_ctx);
    assert_int_equal(SSL_set_fd(bench->ssl, bench->fd), 1);
    uint64_t deadline = loop_now(bench->loop) + SOON_MS;
    assert_int_equal(tls_accept(bench->server, bench->loop, ends[1], deadline, &events, bench, &bench->conn), 0);
}

static int bench_up(void **state) {
    struct why why = {""};
    struct bench *bench = calloc(1, sizeof(*bench));
    *state = bench;
    bench->bytes = malloc(BIG);
    bench->got = malloc(BIG);
    for (size_t i = 0; i < BIG; i++) {
        bench->bytes[i] = (uint8_t)((i * 2654435761U) >> 16 ^ i >> 13);
    }
    bench->allowance = BIG;
    cert_folder_init(&bench->files);
    signal(SIGPIPE, SIG_DFL); /* nothing may raise it */
    assert_int_equal(tls_self_signed(bench->files.cert, bench->files.key, NULL, 0, &why), 0);
    bench->fds = open_fds();
    assert_int_equal(loop_new(&bench->loop), 0);
    loop_timer_init(bench->loop, &bench->stop, bench_stop, bench);
    loop_timer_init(bench->loop, &bench->look, bench_look, bench);
    assert_int_equal(tls_server_new(bench->files.cert, bench->files.key, &bench->server, &why), 0);
    bench->client_ctx = SSL_CTX_new(TLS_client_method());
    client_new(bench);
    assert_true(beside(bench, client_connects));
    assert_true(turn(bench, is_ready, SOON_MS));
    return 0;
}

static void client_vanish(struct bench *bench) {
    SSL_free(bench->ssl);
    bench->ssl = NULL;
    if (bench->fd >= 0) {
        close(bench->fd);
    }
    bench->fd = -1;
}

/* Whatever state the test left, nothing may stay. */
static int bench_down(void **state) {
    struct bench *bench = *state;
    if (bench->stream) {
        stream_close(bench);
    }
    tls_server_free(bench->server);
    loop_drain(bench->loop);
    loop_free(bench->loop);
    client_vanish(bench);
    SSL_CTX_free(bench->client_ctx);
    assert_int_equal(open_fds(), bench->fds);
    cert_folder_fini(&bench->files);
    free(bench->bytes);
    free(bench->got);
    free(bench);
    return 0;
}

static bool has_ended(struct bench *bench) {
    return bench->ends > 0;
}

static bool has_closed(struct bench *bench) {
    return bench->closeds > 0;
}

static bool has_allowance(struct bench *bench) {
    return bench->got_len == bench->allowance;
}

/* Its own end, the client's, and the loop's; and those of the streams. */
static bool is_gone(struct bench *bench) {
    return open_fds() == bench->fds + 2;
}

static bool client_sends_all(struct bench *bench) {
    return SSL_write(bench->ssl, bench->bytes, (int)BIG) == (int)BIG && SSL_shutdown(bench->ssl) >= 0;
}

static void refused_bytes_come_again_in_order(void **state) {
    struct bench *bench = *state;
    bench->allowance = 0;
    assert_int_equal(SSL_write(bench->ssl, bench->bytes, 1000), 1000);
    assert_false(turn(bench, has_closed, 50));
    assert_int_equal(bench->datas, 0); /* not begun */
    bench->stream->ops->resume(bench->stream);
    for (size_t step = 1; bench->got_len < 1000; step += 7) {
        bench->allowance = bench->got_len + step < 1000 ? bench->got_len + step : 1000;
        bench->stream->ops->resume(bench->stream);
        assert_true(turn(bench, has_allowance, SOON_MS));
    }
    SSL_shutdown(bench->ssl);
    assert_true(turn(bench, has_ended, SOON_MS));
    assert_memory_equal(bench->got, bench->bytes, 1000);
    assert_int_equal(bench->closeds, 0);
}

static void end_waits_for_what_was_refused(void **state) {
    struct bench *bench = *state;
    bench->allowance = 300;
    bench->stream->ops->resume(bench->stream);
    assert_int_equal(SSL_write(bench->ssl, bench->bytes, 1000), 1000);
    SSL_shutdown(bench->ssl);
    assert_false(turn(bench, has_ended, 100));
    bench->allowance = 1000;
    bench->stream->ops->resume(bench->stream);
    assert_int_equal(bench->got_len, 1000);
    assert_true(turn(bench, has_ended, SOON_MS));
    assert_int_equal(bench->ends, 1);
}

static void cut_is_not_an_end_and_waits_too(void **state) {
    struct bench *bench = *state;
    bench->allowance = 300;
    bench->stream->ops->resume(bench->stream);
    assert_int_equal(SSL_write(bench->ssl, bench->bytes, 1000), 1000);
    assert_int_equal(shutdown(bench->fd, SHUT_WR), 0);
    assert_false(turn(bench, has_closed, 100));
    bench->allowance = 1000;
    bench->stream->ops->resume(bench->stream);
    assert_int_equal(bench->got_len, 1000);
    assert_true(turn(bench, has_closed, SOON_MS));
    assert_int_equal(bench->ends, 0);
    assert_memory_equal(bench->got, bench->bytes, 1000);
}

static void resume_from_inside_data_is_heard(void **state) {
    struct bench *bench = *state;
    bench->allowance = 300;
    bench->resume_in_data = true;
    bench->stream->ops->resume(bench->stream);
    assert_int_equal(SSL_write(bench->ssl, bench->bytes, 1000), 1000);
    SSL_shutdown(bench->ssl);
    assert_true(turn(bench, has_ended, SOON_MS));
    assert_int_equal(bench->got_len, 1000);
    assert_int_equal(bench->datas, 2);
    assert_memory_equal(bench->got, bench->bytes, 1000);
}

static void upload_is_whole_and_comes_in_large_pieces(void **state) {
    struct bench *bench = *state;
    bench->stream->ops->resume(bench->stream);
    assert_true(beside(bench, client_sends_all));
    assert_true(turn(bench, has_ended, SOON_MS));
    assert_int_equal(bench->got_len, BIG);
    assert_memory_equal(bench->got, bench->bytes, BIG);
    assert_true(bench->datas <= BIG / 16384);
}

/* Does not read for a while, and has bytes of its own on the way. */
static bool client_takes_all(struct bench *bench) {
    size_t have = 0;
    int n;
    usleep(100000);
    if (SSL_write(bench->ssl, "never read", 10) != 10) {
        return false;
    }
    while (have < BIG && (n = SSL_read(bench->ssl, bench->got + have, (int)(BIG - have))) > 0) {
        have += (size_t)n;
    }
    uint8_t byte;
    n = SSL_read(bench->ssl, &byte, 1);
    return have == BIG && SSL_get_error(bench->ssl, n) == SSL_ERROR_ZERO_RETURN &&
           memcmp(bench->got, bench->bytes, BIG) == 0;
}

static void what_was_written_arrives_after_close(void **state) {
    struct bench *bench = *state;
    bench->push = true;
    stream_push(bench);
    assert_true(bench->sent < BIG); /* sockets hold less, and so does the stream */
    assert_true(beside(bench, client_takes_all));
    assert_true(bench->writables > 0);
    assert_null(bench->stream);
    SSL_shutdown(bench->ssl);
    assert_true(turn(bench, is_gone, SOON_MS));
}

static void peer_that_stays_after_our_end_is_closed(void **state) {
    struct bench *bench = *state;
    uint8_t byte;
    stream_close(bench);
    assert_true(turn(bench, is_gone, SOON_MS));
    assert_int_equal(SSL_read(bench->ssl, &byte, 1), 0);
    assert_int_equal(SSL_get_error(bench->ssl, 0), SSL_ERROR_ZERO_RETURN);
}

static void peer_that_takes_nothing_after_close_is_given_up(void **state) {
    struct bench *bench = *state;
    bench->inside = true;
    while (bench->stream->ops->write(bench->stream, bench->bytes, BIG) > 0) {
    }
    bench->inside = false;
    stream_close(bench);
    assert_false(turn(bench, is_gone, 5000));
    assert_true(turn(bench, is_gone, 2 * SOON_MS));
}

static void half_that_we_ended_leaves_the_other_open(void **state) {
    struct bench *bench = *state;
    uint8_t byte;
    bench->stream->ops->resume(bench->stream);
    assert_int_equal(bench->stream->ops->write(bench->stream, bench->bytes, 10), 10);
    bench->stream->ops->end(bench->stream);
    bench->stream->ops->end(bench->stream);
    assert_int_equal(bench->stream->ops->write(bench->stream, bench->bytes, 10), SP_ECLOSED);
    assert_int_equal(SSL_read(bench->ssl, bench->got, 100), 10);
    assert_int_equal(SSL_read(bench->ssl, &byte, 1), 0);
    assert_int_equal(recv(bench->fd, &byte, 1, 0), 0); /* the FIN, too */
    assert_true(beside(bench, client_sends_all));
    assert_true(turn(bench, has_ended, SOON_MS));
    assert_int_equal(bench->got_len, BIG);
}

static void reset_is_reported_at_once(void **state) {
    struct bench *bench = *state;
    struct linger now = {.l_onoff = 1};
    bench->allowance = 10;
    bench->stream->ops->resume(bench->stream);
    assert_int_equal(SSL_write(bench->ssl, bench->bytes, 1000), 1000);
    assert_true(turn(bench, has_allowance, SOON_MS));
    assert_int_equal(setsockopt(bench->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    client_vanish(bench);
    assert_true(turn(bench, has_closed, SOON_MS));
    assert_int_equal(bench->ends, 0);
    assert_int_equal(bench->stream->ops->write(bench->stream, bench->bytes, 10), SP_ECLOSED);
}

static void nothing_is_reported_before_it_is_wanted(void **state) {
    struct bench *bench = *state;
    struct linger now = {.l_onoff = 1};
    assert_int_equal(setsockopt(bench->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    client_vanish(bench);
    assert_false(turn(bench, has_closed, 50));
    bench->stream->ops->resume(bench->stream);
    assert_true(turn(bench, has_closed, SOON_MS));
}

static void broken_record_ends_it_with_an_alert(void **state) {
    struct bench *bench = *state;
    uint8_t byte;
    bench->stream->ops->resume(bench->stream);
    assert_int_equal(SSL_write(bench->ssl, bench->bytes, 100), 100);
    assert_int_equal(send(bench->fd, "\x17\x03\x03\x00\x14 twenty bytes of junk", 25, 0), 25);
    assert_true(turn(bench, has_closed, SOON_MS));
    assert_int_equal(bench->got_len, 100);
    assert_int_equal(bench->ends, 0);
    assert_true(SSL_read(bench->ssl, &byte, 1) <= 0);
    assert_int_equal(SSL_get_error(bench->ssl, -1), SSL_ERROR_SSL);
}

static void close_from_inside_data_is_the_end(void **state) {
    struct bench *bench = *state;
    bench->close_in_data = true;
    bench->stream->ops->resume(bench->stream);
    assert_int_equal(SSL_write(bench->ssl, bench->bytes, 1000), 1000);
    SSL_shutdown(bench->ssl);
    assert_true(turn(bench, is_gone, SOON_MS));
    assert_int_equal(bench->datas, 1);
    assert_int_equal(bench->ends + bench->closeds, 0);
}

/* The client's last message of the handshake and its first request in one segment: no event tells of the latter. */
static bool client_connects_and_asks(struct bench *bench) {
    uint8_t flight[16384];
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL_set_bio(bench->ssl, in, out);
    int n = SSL_connect(bench->ssl);
    int len = BIO_read(out, flight, sizeof(flight));
    bool good = n < 0 && send(bench->fd, flight, (size_t)len, 0) == len;
    while (good && SSL_connect(bench->ssl) != 1) {
        ssize_t got = recv(bench->fd, flight, sizeof(flight), 0);
        good = got > 0 && BIO_write(in, flight, (int)got) == (int)got;
    }
    good = good && SSL_write(bench->ssl, "ask", 3) == 3;
    len = BIO_read(out, flight, sizeof(flight));
    return good && send(bench->fd, flight, (size_t)len, 0) == len;
}

static void request_within_the_handshake_is_heard(void **state) {
    struct bench *bench = *state;
    stream_close(bench);
    client_vanish(bench);
    client_new(bench);
    bench->allowance = 3;
    assert_true(beside(bench, client_connects_and_asks));
    assert_true(turn(bench, is_ready, SOON_MS));
    assert_false(turn(bench, has_closed, 20));
    bench->stream->ops->resume(bench->stream);
    assert_true(turn(bench, has_allowance, SOON_MS));
    assert_memory_equal(bench->got, "ask", 3);
}

static void loop_that_ends_takes_everything_with_it(void **state) {
    struct bench *bench = *state;
    client_vanish(bench);
    stream_close(bench);
    client_new(bench); /* a handshake that never goes on */
    assert_int_equal(bench->failed, 0);
}

static void quiet_connection_holds_little(void **state) {
    enum { COUNT = 100, MOST = 40000 };
    struct bench *bench = *state;
    struct stream *streams[COUNT];
    SSL *clients[COUNT];
    int fds[COUNT];
    stream_close(bench);
    client_vanish(bench);
    (void)turn(bench, is_gone, SOON_MS);
    size_t clients_hold = 0, before = mallinfo2().uordblks;
    for (size_t i = 0; i < COUNT; i++) {
        bench->stream = NULL;
        client_new(bench);
        assert_true(beside(bench, client_connects));
        assert_true(turn(bench, is_ready, SOON_MS));
        streams[i] = bench->stream;
        clients[i] = bench->ssl;
        fds[i] = bench->fd;
        bench->got_len = 0;
        bench->allowance = 1000;
        streams[i]->ops->resume(streams[i]);
        assert_int_equal(SSL_write(clients[i], bench->bytes, 1000), 1000);
        assert_true(turn(bench, has_allowance, SOON_MS));
        assert_int_equal(streams[i]->ops->write(streams[i], bench->bytes, 1000), 1000);
        assert_int_equal(SSL_read(clients[i], bench->got, 2000), 1000);
    }
    size_t with_all = mallinfo2().uordblks;
    for (size_t i = 0; i < COUNT; i++) {
        SSL_free(clients[i]);
        close(fds[i]);
    }
    clients_hold = with_all - mallinfo2().uordblks;
    bench->ssl = NULL;
    bench->fd = -1;
    size_t each = (with_all - before - clients_hold) / COUNT;
    for (size_t i = 0; i < COUNT; i++) {
        streams[i]->ops->close(streams[i]);
    }
    bench->stream = NULL;
    if (with_all == 0) {
        skip(); /* a sanitizer's allocator does not tell */
    }
    print_message("a quiet connection holds %zu bytes\n", each);
    assert_true(each < MOST);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refused_bytes_come_again_in_order, bench_up, bench_down),
        cmocka_unit_test_setup_teardown(end_waits_for_what_was_refused, bench_up, bench_down),
        cmocka_unit_test_setup_teardown(cut_is_not_an_end_and_waits_too, bench_up, bench_down),
        cmocka_unit_test_setup_teardown(resume_from_inside_data_is_heard, bench_up, bench_down),
        cmocka_unit_test_setup_teardown(upload_is_whole_and_comes_in_large_pieces, bench_up, bench_down),
        cmocka_unit_test_setup_teardown(what_was_written_arrives_after_close, bench_up, bench_down),
        cmocka_unit_test_setup_teardown(peer_that_stays_after_our_end_is_closed, bench_up, bench_down),
        cmocka_unit_test_setup_teardown(peer_that_takes_nothing_after_close_is_given_up, bench_up, bench_down),
        cmocka_unit_test_setup_teardown(half_that_we_ended_leaves_the_other_open, bench_up, bench_down),
        cmocka_unit_test_setup_teardown(reset_is_reported_at_once, bench_up, bench_down),
        cmocka_unit_test_setup_teardown(nothing_is_reported_before_it_is_wanted, bench_up, bench_down),
        cmocka_unit_test_setup_teardown(broken_record_ends_it_with_an_alert, bench_up, bench_down),
        cmocka_unit_test_setup_teardown(close_from_inside_data_is_the_end, bench_up, bench_down),
        cmocka_unit_test_setup_teardown(request_within_the_handshake_is_heard, bench_up, bench_down),
        cmocka_unit_test_setup_teardown(loop_that_ends_takes_everything_with_it, bench_up, bench_down),
        cmocka_unit_test_setup_teardown(quiet_connection_holds_little, bench_up, bench_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
