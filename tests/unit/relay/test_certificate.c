/* The relay's certificate over days, with a clock of the test's: what is taken, what is kept, what the log says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certificate.h"
#include "sallyport/base/buf.h"
#include "sallyport/base/log.h"
#include "sallyport/base/os.h"
#include "sallyport/wire/tls.h"

enum { LOOK_MS = 5, NEVER_MS = 3600000, SOON_MS = 20000, DAY_S = 86400 };

static int64_t clock_ahead; /* seconds that the test's clock is ahead of the true one */

static int64_t test_now(void) {
    return os_realtime_s() + clock_ahead;
}

struct rig {
    char dir[64];
    char cert[96], key[96], other_cert[96], other_key[96], log[96];
    struct loop *loop;
    struct certificate *certificate;
    int saved_stderr;
    char print[TLS_FINGERPRINT_SIZE]; /* of the certificate in use when `rig_mark` was called */
    const char *line;                 /* that the log shall have ... */
    unsigned count;                   /* ... so often */
    struct loop_timer look, limit;
    bool (*until)(struct rig *rig);
    bool late;
};

static void path_in(const struct rig *rig, const char *name, char to[static 96]) {
    assert_int_equal(os_path(to, 96, rig->dir, name), 0);
}

static int rig_up(void **state) {
    struct why why;
    const char *name = "relay.test";
    struct rig *rig = calloc(1, sizeof *rig);
    *state = rig;
    clock_ahead = 0;
    (void)snprintf(rig->dir, sizeof rig->dir, "/tmp/sallyport-certificate-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    path_in(rig, "cert.pem", rig->cert);
    path_in(rig, "key.pem", rig->key);
    path_in(rig, "other-cert.pem", rig->other_cert);
    path_in(rig, "other-key.pem", rig->other_key);
    path_in(rig, "log", rig->log);
    assert_int_equal(tls_self_signed(rig->cert, rig->key, &name, 1, &why), 0);
    assert_int_equal(tls_self_signed(rig->other_cert, rig->other_key, &name, 1, &why), 0);
    assert_int_equal(loop_new(&rig->loop), 0);
    log_setup(LOG_LEVEL_INFO);
    rig->saved_stderr = dup(STDERR_FILENO);
    int log = open(rig->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(dup2(log, STDERR_FILENO) >= 0);
    close(log);
    return 0;
}

static int rig_down(void **state) {
    static const char *const made[] = {"cert.pem",  "key.pem", "other-cert.pem",      "other-key.pem",
                                       "good-cert", "log",     "tls_certificate.pem", "tls_key.pem"};
    struct rig *rig = *state;
    certificate_free(rig->certificate);
    loop_free(rig->loop);
    dup2(rig->saved_stderr, STDERR_FILENO);
    close(rig->saved_stderr);
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        char path[96];
        path_in(rig, made[i], path);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(rig->dir), 0);
    free(rig);
    return 0;
}

static void rig_start(struct rig *rig, bool given, const char *host, unsigned patience_ms) {
    struct why why = {""};
    struct certificate_config config = {.loop = rig->loop,
                                        .cert = given ? rig->cert : NULL,
                                        .key = given ? rig->key : NULL,
                                        .state = rig->dir,
                                        .host = host,
                                        .now = test_now,
                                        .look_ms = LOOK_MS,
                                        .patience_ms = patience_ms};
    assert_int_equal(certificate_new(&config, &rig->certificate, &why), 0);
}

static unsigned log_count(const struct rig *rig, const char *text) {
    struct buf log;
    unsigned count = 0;
    buf_init(&log);
    assert_int_equal(os_read_file(rig->log, 1 << 20, &log), 0);
    for (const char *at = buf_string(&log); (at = strstr(at, text)); at++)
        count++;
    buf_fini(&log);
    return count;
}

static void rig_look(void *ctx) {
    struct rig *rig = ctx;
    if (rig->until && rig->until(rig))
        loop_stop(rig->loop);
    else
        assert_int_equal(loop_timer_set(&rig->look, 1), 0);
}

static void rig_late(void *ctx) {
    struct rig *rig = ctx;
    rig->late = true;
    loop_stop(rig->loop);
}

/* Turns until the condition holds; false: it did not within ms. */
static bool turn(struct rig *rig, bool (*until)(struct rig *rig), uint64_t ms) {
    rig->until = until;
    rig->late = false;
    loop_timer_init(rig->loop, &rig->look, rig_look, rig);
    loop_timer_init(rig->loop, &rig->limit, rig_late, rig);
    assert_int_equal(loop_timer_set(&rig->look, 0), 0);
    assert_int_equal(loop_timer_set(&rig->limit, ms), 0);
    assert_int_equal(loop_run(rig->loop), 0);
    loop_timer_stop(&rig->look);
    loop_timer_stop(&rig->limit);
    return !rig->late;
}

static void rig_mark(struct rig *rig) {
    assert_int_equal(tls_server_fingerprint(certificate_server(rig->certificate), rig->print), 0);
}

static bool is_other(struct rig *rig) {
    char print[TLS_FINGERPRINT_SIZE];
    assert_int_equal(tls_server_fingerprint(certificate_server(rig->certificate), print), 0);
    return strcmp(print, rig->print) != 0;
}

static bool is_logged(struct rig *rig) {
    return log_count(rig, rig->line) >= rig->count;
}

static bool logs(struct rig *rig, const char *line, unsigned count) {
    rig->line = line;
    rig->count = count;
    return turn(rig, is_logged, SOON_MS);
}

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_half_written_is_waited_for(void **state) {
    struct rig *rig = *state;
    rig_start(rig, true, "relay.test", NEVER_MS);
    rig_mark(rig);
    assert_int_equal(rename(rig->other_cert, rig->cert), 0);
    assert_false(turn(rig, is_other, 100));
    assert_int_equal(rename(rig->other_key, rig->key), 0);
    assert_true(turn(rig, is_other, SOON_MS));
    assert_int_equal(log_count(rig, "stays in use"), 0);
    assert_int_equal(log_count(rig, "cert.pem is good until"), 2);
}

static void test_bad_one_is_told_once(void **state) {
    struct rig *rig = *state;
    rig_start(rig, true, "relay.test", 20);
    rig_mark(rig);
    path_in(rig, "good-cert", rig->other_cert);
    assert_int_equal(rename(rig->cert, rig->other_cert), 0);
    assert_true(logs(rig, "cert.pem: not a usable certificate", 1));
    assert_true(logs(rig, "The old certificate stays in use; it is good until 20", 1));
    assert_false(turn(rig, is_other, 100));
    write_text(rig->cert, "garbage\n");
    assert_true(logs(rig, "stays in use", 2));
    assert_false(turn(rig, is_other, 100));
    assert_int_equal(log_count(rig, "stays in use"), 2);
    /* It comes back: nothing to complain of. */
    assert_int_equal(rename(rig->other_cert, rig->cert), 0);
    assert_true(logs(rig, "cert.pem is good until", 2));
    assert_false(is_other(rig));
    assert_int_equal(log_count(rig, "stays in use"), 2);
}

static void test_told_to_read_says_at_once(void **state) {
    struct rig *rig = *state;
    rig_start(rig, true, "relay.test", NEVER_MS);
    rig_mark(rig);
    write_text(rig->key, "garbage\n");
    certificate_reload(rig->certificate);
    assert_int_equal(log_count(rig, "key.pem: not a usable private key"), 1);
    assert_int_equal(rename(rig->other_cert, rig->cert), 0);
    assert_int_equal(rename(rig->other_key, rig->key), 0);
    certificate_reload(rig->certificate);
    assert_true(is_other(rig));
}

static void test_end_is_warned_of_daily(void **state) {
    struct rig *rig = *state;
    rig_start(rig, true, "relay.test", NEVER_MS);
    clock_ahead = 382LL * DAY_S; /* of 397 */
    assert_false(turn(rig, NULL, 50));
    assert_int_equal(log_count(rig, "expires in"), 0);
    clock_ahead = 384LL * DAY_S + DAY_S / 2;
    assert_true(logs(rig, "cert.pem expires in 12 days", 1));
    clock_ahead += DAY_S / 2;
    assert_false(turn(rig, NULL, 50));
    assert_int_equal(log_count(rig, "expires in"), 1);
    clock_ahead += DAY_S / 2;
    assert_true(logs(rig, "cert.pem expires in 11 days (20", 1));
    clock_ahead = 398LL * DAY_S;
    assert_true(logs(rig, "cert.pem has expired", 1));
}

static void test_names_are_judged(void **state) {
    struct rig *rig = *state;
    rig_start(rig, true, "relay.test", NEVER_MS);
    assert_int_equal(log_count(rig, "does not name"), 0);
    certificate_free(rig->certificate);
    rig_start(rig, true, "elsewhere.test", NEVER_MS);
    assert_int_equal(log_count(rig, "cert.pem does not name elsewhere.test: browsers will refuse the page"), 1);
    certificate_free(rig->certificate);
    rig_start(rig, true, "sub.relay.test", NEVER_MS);
    assert_int_equal(log_count(rig, "cert.pem does not name *.sub.relay.test: browsers will refuse the services"), 1);
}

/* Its end comes near: by the file, since the making of certificates has the true clock. */
static void test_own_one_is_renewed(void **state) {
    struct rig *rig = *state;
    char cert_path[96], key_path[96];
    rig_start(rig, false, "relay.test", NEVER_MS);
    path_in(rig, "tls_certificate.pem", cert_path);
    path_in(rig, "tls_key.pem", key_path);
    FILE *file = fopen(cert_path, "r");
    X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
    (void)fclose(file);
    file = fopen(key_path, "r");
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    (void)fclose(file);
    X509_gmtime_adj(X509_getm_notAfter(cert), 20L * DAY_S);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    file = fopen(cert_path, "w");
    assert_int_equal(PEM_write_X509(file, cert), 1);
    (void)fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
    certificate_reload(rig->certificate);
    rig_mark(rig);
    assert_true(tls_server_not_after(certificate_server(rig->certificate)) < os_realtime_s() + 21LL * DAY_S);
    assert_false(turn(rig, is_other, 50));
    clock_ahead = 3600;
    assert_true(turn(rig, is_other, SOON_MS));
    assert_true(tls_server_not_after(certificate_server(rig->certificate)) > os_realtime_s() + 390LL * DAY_S);
    assert_int_equal(log_count(rig, "expires in"), 0);
}

/* A client of TLS 1.2, whose ticket comes with the handshake. */
struct visit {
    struct rig *rig;
    SSL_CTX *ctx;
    SSL_SESSION *session;
    int fd;
    bool resumed;
};

static void *visit_run(void *arg) {
    struct visit *visit = arg;
    SSL *ssl = SSL_new(visit->ctx);
    SSL_set_fd(ssl, visit->fd);
    if (visit->session)
        SSL_set_session(ssl, visit->session);
    if (SSL_connect(ssl) == 1) {
        visit->resumed = SSL_session_reused(ssl);
        SSL_SESSION_free(visit->session);
        visit->session = SSL_get1_session(ssl);
    }
    SSL_shutdown(ssl); /* or the session would count as broken off */
    SSL_free(ssl);
    return NULL;
}

static void visit_ready(void *ctx, struct stream *stream) {
    struct visit *visit = ctx;
    stream->ops->close(stream);
    loop_stop(visit->rig->loop);
}

static void visit_failed(void *ctx) {
    struct visit *visit = ctx;
    loop_stop(visit->rig->loop);
}

static bool visit_resumes(struct visit *visit) {
    static const struct tls_events events = {visit_ready, visit_failed};
    struct loop *loop = visit->rig->loop;
    struct tls_conn *conn;
    pthread_t thread;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(os_nonblocking(pair[1]), 0);
    visit->fd = pair[0];
    visit->resumed = false;
    assert_int_equal(tls_accept(certificate_server(visit->rig->certificate), loop, pair[1], loop_now(loop) + SOON_MS,
                                &events, visit, &conn),
                     0);
    assert_int_equal(pthread_create(&thread, NULL, visit_run, visit), 0);
    assert_int_equal(loop_run(loop), 0);
    pthread_join(thread, NULL);
    close(pair[0]);
    return visit->resumed;
}

static void test_tickets_serve_for_a_day(void **state) {
    struct visit visit = {.rig = *state, .ctx = SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_max_proto_version(visit.ctx, TLS1_2_VERSION);
    rig_start(visit.rig, true, "relay.test", NEVER_MS);
    assert_false(visit_resumes(&visit));
    clock_ahead = DAY_S / 2;
    assert_false(turn(visit.rig, NULL, 50));
    assert_true(visit_resumes(&visit));
    clock_ahead = DAY_S;
    assert_false(turn(visit.rig, NULL, 50));
    assert_false(visit_resumes(&visit));
    assert_true(visit_resumes(&visit));
    SSL_SESSION_free(visit.session);
    SSL_CTX_free(visit.ctx);
    assert_int_equal(log_count(visit.rig, "is good until"), 1);
}

static void test_nothing_to_begin_with(void **state) {
    struct rig *rig = *state;
    struct why why = {""};
    struct certificate_config config = {
        .loop = rig->loop, .cert = rig->cert, .key = rig->other_key, .host = "relay.test", .now = test_now};
    assert_int_equal(certificate_new(&config, &rig->certificate, &why), SP_EFORMAT);
    assert_non_null(strstr(why.text, "is not the key of the certificate"));
    assert_null(rig->certificate);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_half_written_is_waited_for, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(test_bad_one_is_told_once, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(test_told_to_read_says_at_once, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(test_end_is_warned_of_daily, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(test_names_are_judged, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(test_own_one_is_renewed, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(test_tickets_serve_for_a_day, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(test_nothing_to_begin_with, rig_up, rig_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
