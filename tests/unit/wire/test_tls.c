/* The TLS layer against OpenSSL's own client, bridged to a socket: handshakes good and bad, bytes both ways. */
#include "loop_thread.h"

#include "cert_folder.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/wire/bridge.h"
#include "sallyport/wire/socket_stream.h"
#include "sallyport/wire/tls.h"

#define BIG ((size_t)24 << 20)

struct rig {
    struct cert_folder files;
    struct tls_server *server;
    struct loop_thread loop;
    struct tls_conn *conn;
    int ready[2];  /* plain ends come out here */
    int closed[2]; /* a byte for each connection that is over */
    uint64_t patience_ms;
};

static void on_over(void *ctx) {
    struct rig *rig = ctx;
    assert_int_equal(write(rig->closed[1], "", 1), 1);
}

static void on_ready(void *ctx, struct stream *stream) {
    struct rig *rig = ctx;
    struct stream *plain;
    struct bridge *bridge;
    int pair[2];
    assert_int_equal(os_socket_pair(pair), 0);
    assert_int_equal(socket_stream_new(rig->loop.loop, pair[0], &plain), 0);
    assert_int_equal(bridge_new(rig->loop.loop, stream, plain, on_over, rig, &bridge), 0);
    assert_int_equal(write(rig->ready[1], &pair[1], sizeof(pair[1])), sizeof(pair[1]));
}

static const struct tls_events events = {on_ready, on_over};

static void take(void *ctx, int fd) {
    struct rig *rig = ctx;
    uint64_t deadline = loop_now(rig->loop.loop) + rig->patience_ms;
    assert_int_equal(tls_accept(rig->server, rig->loop.loop, fd, deadline, &events, rig, &rig->conn), 0);
}

static int rig_up(void **state) {
    struct why why = {""};
    struct rig *rig = calloc(1, sizeof(*rig));
    *state = rig;
    cert_folder_init(&rig->files);
    rig->patience_ms = 60000;
    assert_int_equal(tls_self_signed(rig->files.cert, rig->files.key, NULL, 0, &why), 0);
    assert_int_equal(tls_server_new(rig->files.cert, rig->files.key, &rig->server, &why), 0);
    assert_int_equal(pipe2(rig->ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(rig->closed, O_CLOEXEC), 0);
    loop_thread_init(&rig->loop, take, rig);
    loop_thread_start(&rig->loop);
    return 0;
}

static int rig_down(void **state) {
    struct rig *rig = *state;
    loop_thread_join(&rig->loop);
    tls_server_free(rig->server);
    loop_thread_fini(&rig->loop);
    close(rig->ready[0]);
    close(rig->ready[1]);
    close(rig->closed[0]);
    close(rig->closed[1]);
    cert_folder_fini(&rig->files);
    free(rig);
    return 0;
}

static bool soon(int fd, int ms) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, ms) == 1;
}

static void assert_closed(struct rig *rig) {
    char byte;
    assert_true(soon(rig->closed[0], 10000));
    assert_int_equal(read(rig->closed[0], &byte, 1), 1);
}

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd, plain;
};

/* `offer`: protocols as they stand on the wire, or NULL; `session`: to resume, or NULL. */
static void client_open_with(struct rig *rig, struct client *client, const char *offer, SSL_SESSION *session) {
    int ends[2], flags;
    tcp_pair(ends);
    client->fd = ends[0];
    client->ctx = SSL_CTX_new(TLS_client_method());
    client->ssl = SSL_new(client->ctx);
    SSL_set_fd(client->ssl, client->fd);
    if (offer) {
        SSL_set_alpn_protos(client->ssl, (const unsigned char *)offer, (unsigned int)strlen(offer));
    }
    if (session) {
        SSL_set_session(client->ssl, session);
    }
    loop_thread_give(&rig->loop, ends[1]);
    assert_int_equal(SSL_connect(client->ssl), 1);
    assert_true(soon(rig->ready[0], 10000));
    assert_int_equal(read(rig->ready[0], &client->plain, sizeof(client->plain)), sizeof(client->plain));
    flags = fcntl(client->plain, F_GETFL);
    fcntl(client->plain, F_SETFL, flags & ~O_NONBLOCK);
}

static void client_open(struct rig *rig, struct client *client) {
    client_open_with(rig, client, NULL, NULL);
}

static void client_close(struct client *client) {
    if (client->plain >= 0) {
        close(client->plain);
    }
    SSL_free(client->ssl);
    SSL_CTX_free(client->ctx);
    if (client->fd >= 0) {
        close(client->fd);
    }
}

static uint8_t *pattern(size_t n) {
    uint8_t *bytes = malloc(n);
    uint32_t x = 12345;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525U + 1013904223U;
        bytes[i] = (uint8_t)(x >> 24);
    }
    return bytes;
}

/* Writers run beside the test, so that both directions are busy at once. */
struct writer {
    struct client *client;
    const uint8_t *bytes;
    pthread_t thread;
};

static void *write_plain(void *ctx) {
    struct writer *writer = ctx;
    size_t done = 0;
    while (done < BIG) {
        ssize_t n = write(writer->client->plain, writer->bytes + done, BIG - done);
        if (n <= 0) {
            break;
        }
        done += (size_t)n;
    }
    shutdown(writer->client->plain, SHUT_WR);
    return NULL;
}

static void *write_tls(void *ctx) {
    struct writer *writer = ctx;
    size_t done = 0;
    while (done < BIG) {
        int n = SSL_write(writer->client->ssl, writer->bytes + done, (int)(BIG - done));
        if (n <= 0) {
            break;
        }
        done += (size_t)n;
    }
    SSL_shutdown(writer->client->ssl);
    return NULL;
}

static void read_plain_all(int fd, const uint8_t *wanted, size_t n) {
    uint8_t *got = malloc(n + 1);
    size_t have = 0;
    ssize_t r;
    while ((r = read(fd, got + have, n + 1 - have)) > 0) {
        have += (size_t)r;
    }
    assert_int_equal(have, n);
    assert_memory_equal(got, wanted, n);
    free(got);
}

static void read_tls_all(SSL *ssl, const uint8_t *wanted, size_t n) {
    uint8_t *got = malloc(n + 1);
    size_t have = 0;
    int r;
    while ((r = SSL_read(ssl, got + have, (int)(n + 1 - have))) > 0) {
        have += (size_t)r;
    }
    assert_int_equal(SSL_get_error(ssl, r), SSL_ERROR_ZERO_RETURN);
    assert_int_equal(have, n);
    assert_memory_equal(got, wanted, n);
    free(got);
}

static void bytes_survive_both_ways_and_both_ends_are_heard(void **state) {
    struct client client;
    uint8_t *bytes = pattern(BIG);
    struct writer writer = {&client, bytes, 0};
    client_open(*state, &client);
    pthread_create(&writer.thread, NULL, write_plain, &writer);
    read_tls_all(client.ssl, bytes, BIG);
    pthread_join(writer.thread, NULL);
    /* The relay's half is over; ours goes on. */
    pthread_create(&writer.thread, NULL, write_tls, &writer);
    read_plain_all(client.plain, bytes, BIG);
    pthread_join(writer.thread, NULL);
    assert_closed(*state);
    free(bytes);
    client_close(&client);
}

static void peer_end_comes_first_and_the_answer_still_arrives(void **state) {
    struct client client;
    char got[16] = "";
    client_open(*state, &client);
    assert_int_equal(SSL_write(client.ssl, "ask", 3), 3);
    assert_int_equal(SSL_shutdown(client.ssl), 0);
    read_plain_all(client.plain, (const uint8_t *)"ask", 3);
    assert_false(soon(((struct rig *)*state)->closed[0], 200));
    assert_int_equal(write(client.plain, "answer", 6), 6);
    assert_int_equal(SSL_read(client.ssl, got, sizeof(got)), 6);
    assert_string_equal(got, "answer");
    close(client.plain);
    client.plain = -1;
    assert_true(SSL_read(client.ssl, got, sizeof(got)) <= 0);
    assert_closed(*state);
    client_close(&client);
}

static void peer_that_vanishes_ends_both_sides(void **state) {
    struct client client;
    char byte;
    client_open(*state, &client);
    close(client.fd);
    client.fd = -1;
    assert_int_equal(read(client.plain, &byte, 1), 0);
    assert_closed(*state);
    client_close(&client);
}

static void reader_that_stops_holds_little(void **state) {
    struct client client;
    uint8_t *bytes = pattern(BIG);
    size_t sent = 0;
    int small = 65536;
    client_open(*state, &client);
    setsockopt(client.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    fcntl(client.fd, F_SETFL, O_NONBLOCK);
    SSL_set_mode(client.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    for (int idle = 0; idle < 20 && sent < BIG;) {
        int n = SSL_write(client.ssl, bytes + sent, (int)(BIG - sent > 16384 ? 16384 : BIG - sent));
        if (n > 0) {
            sent += (size_t)n;
            idle = 0;
        } else {
            idle++;
            usleep(20000);
        }
    }
    /* Sockets hold some megabytes at most; had the stream no bound, all would be gone. */
    assert_true(sent < BIG);
    free(bytes);
    client_close(&client);
    assert_closed(*state);
}

static void silence_and_garbage_are_closed(void **state) {
    struct rig *rig = *state;
    int silent[2], garbage[2];
    char byte;
    rig->patience_ms = 300;
    tcp_pair(silent);
    tcp_pair(garbage);
    loop_thread_give(&rig->loop, silent[1]);
    loop_thread_give(&rig->loop, garbage[1]);
    assert_int_equal(write(garbage[0], "\x16\x03\x01\xff\xff not a handshake, not at all", 33), 33);
    assert_closed(rig);
    assert_closed(rig);
    assert_int_equal(read(silent[0], &byte, 1), 0);
    assert_false(soon(rig->ready[0], 0));
    close(silent[0]);
    close(garbage[0]);
}

static void old_protocol_is_refused(void **state) {
    struct rig *rig = *state;
    int ends[2];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
    SSL *ssl = SSL_new(ctx);
    tcp_pair(ends);
    SSL_set_fd(ssl, ends[0]);
    loop_thread_give(&rig->loop, ends[1]);
    assert_true(SSL_connect(ssl) <= 0);
    assert_closed(rig);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(ends[0]);
}

static void server_gone_ends_handshakes_and_no_more(void **state) {
    struct rig *rig = *state;
    struct client client;
    struct why why = {""};
    int silent[2];
    char got[16] = "";
    client_open(rig, &client);
    tcp_pair(silent);
    loop_thread_give(&rig->loop, silent[1]);
    loop_thread_join(&rig->loop);
    tls_server_free(rig->server);
    assert_closed(rig);
    assert_int_equal(read(silent[0], got, 1), 0);
    close(silent[0]);
    loop_thread_start(&rig->loop);
    assert_int_equal(write(client.plain, "still", 5), 5);
    assert_int_equal(SSL_read(client.ssl, got, sizeof(got)), 5);
    client_close(&client);
    assert_closed(rig);
    assert_int_equal(tls_server_new(rig->files.cert, rig->files.key, &rig->server, &why), 0);
}

static void new_certificate_leaves_streams_alone(void **state) {
    struct rig *rig = *state;
    struct client before, after;
    struct why why = {""};
    char got[16] = "";
    client_open(rig, &before);
    loop_thread_join(&rig->loop);
    assert_int_equal(unlink(rig->files.cert), 0);
    assert_int_equal(tls_server_reload(rig->server, rig->files.cert, rig->files.key, &why), SP_EFORMAT);
    assert_int_equal(tls_self_signed(rig->files.cert, rig->files.key, NULL, 0, &why), 0);
    assert_int_equal(tls_server_reload(rig->server, rig->files.cert, rig->files.key, &why), 0);
    loop_thread_start(&rig->loop);
    client_open(rig, &after);
    assert_int_equal(write(before.plain, "old", 3), 3);
    assert_int_equal(SSL_read(before.ssl, got, sizeof(got)), 3);
    assert_int_not_equal(X509_cmp(SSL_get0_peer_certificate(before.ssl), SSL_get0_peer_certificate(after.ssl)), 0);
    client_close(&before);
    client_close(&after);
    assert_closed(rig);
    assert_closed(rig);
}

static void http_is_agreed_on_when_it_is_offered(void **state) {
    static const struct {
        const char *offer, *chosen;
    } cases[] = {{"\x02h2\x08http/1.1", "http/1.1"}, {"\x02h2", ""}, {"\x08http/1.0", ""}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client client;
        const unsigned char *chosen = NULL;
        unsigned int len = 0;
        client_open_with(*state, &client, cases[i].offer, NULL);
        SSL_get0_alpn_selected(client.ssl, &chosen, &len);
        assert_int_equal(len, strlen(cases[i].chosen));
        assert_memory_equal(chosen ? chosen : (const unsigned char *)"", cases[i].chosen, len);
        client_close(&client);
        assert_closed(*state);
    }
}

static void returning_client_resumes(void **state) {
    struct client client;
    char byte;
    client_open(*state, &client);
    assert_int_equal(write(client.plain, "x", 1), 1);
    assert_int_equal(SSL_read(client.ssl, &byte, 1), 1); /* the tickets come before it */
    SSL_SESSION *session = SSL_get1_session(client.ssl);
    SSL_shutdown(client.ssl);
    client_close(&client);
    assert_closed(*state);
    client_open_with(*state, &client, NULL, session);
    assert_true(SSL_session_reused(client.ssl));
    SSL_SESSION_free(session);
    client_close(&client);
    assert_closed(*state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_survive_both_ways_and_both_ends_are_heard, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(peer_end_comes_first_and_the_answer_still_arrives, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(peer_that_vanishes_ends_both_sides, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(reader_that_stops_holds_little, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(silence_and_garbage_are_closed, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(old_protocol_is_refused, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(server_gone_ends_handshakes_and_no_more, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(new_certificate_leaves_streams_alone, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(http_is_agreed_on_when_it_is_offered, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(returning_client_resumes, rig_up, rig_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
