/* A server and a client of ours on one loop, joined by a socket pair, and streams that count what passes. */
#ifndef SALLYPORT_TESTS_SSH_PAIR_H
#define SALLYPORT_TESTS_SSH_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/base/loop.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/ssh_client.h"
#include "sallyport/wire/ssh_server.h"

enum { TAPS_MAX = 640 };

struct pair;

/* One end of a channel: sends a pattern that depends on the place, and checks that what it gets is that pattern. */
struct tap {
    struct pair *pair;
    struct ssh_chan *chan;
    struct stream *stream;
    uint64_t got, sent;
    uint64_t to_send;
    uint64_t allowance; /* takes no more than this in all */
    bool end_after;     /* ends when all is sent */
    bool sent_end, ended, closed, wrong, short_write;
    bool close_on_data, hang_up_on_data;
    int opened; /* 1: not yet; else what `opened` said */
};

struct pair {
    struct loop *loop;
    char dir[64];
    char host_key[96];
    struct ssh_server *server;
    struct keypair *key;
    const char *fingerprint; /* the client's idea of the host key; NULL: the right one */
    char host_print[64];
    struct ssh_conn *there, *here; /* the server's end and the client's; NULL when over */
    struct loop_timer look, limit;
    bool (*until)(struct pair *pair);
    bool late;
    /* what the server does and saw */
    bool deny_login, deny_forward, deny_session, deny_direct, hang_up_on_login, no_fill;
    unsigned asked, proven, forwards, unforwards, sessions, directs;
    char command[256], bind[64], direct_host[64];
    uint16_t direct_port;
    struct tap *server_tap; /* the last one */
    struct tap server_taps[TAPS_MAX];
    size_t server_tap_count;
    char there_reason[512];
    bool there_over;
    /* the client */
    bool ready, here_over, deny_forwarded, hang_up_on_ready;
    int here_rc;
    char here_reason[512];
    unsigned listened;
    int listened_rc[8];
    char listened_bind[8][64];
    struct tap taps[TAPS_MAX];
    size_t tap_count;
    uint64_t fill; /* new taps of either side send this much */
    bool fill_end;
    uint64_t allowance;
    unsigned fds;
    void *ctx; /* the test's own */
};

static inline uint8_t pattern(uint64_t at) {
    return (uint8_t)((at * 2654435761u) >> 16 ^ at >> 13);
}

static inline unsigned open_fds(void) {
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

static inline size_t tap_data(void *ctx, const uint8_t *bytes, size_t n) {
    struct tap *tap = ctx;
    size_t room = (size_t)(tap->allowance - tap->got);
    size_t take = n < room ? n : room;
    for (size_t i = 0; i < take; i++)
        if (bytes[i] != pattern(tap->got + i))
            tap->wrong = true;
    tap->got += take;
    if (tap->hang_up_on_data)
        ssh_conn_close(ssh_chan_conn(tap->chan), "enough of you");
    if (tap->close_on_data) {
        tap->stream->ops->close(tap->stream);
        tap->stream = NULL;
    }
    return take;
}

static inline void tap_push(struct tap *tap) {
    uint8_t bytes[32768];
    while (tap->stream && tap->sent < tap->to_send) {
        size_t n = tap->to_send - tap->sent < sizeof bytes ? (size_t)(tap->to_send - tap->sent) : sizeof bytes;
        for (size_t i = 0; i < n; i++)
            bytes[i] = pattern(tap->sent + i);
        ssize_t rc = tap->stream->ops->write(tap->stream, bytes, n);
        if (rc < 0)
            return;
        tap->sent += (uint64_t)rc;
        if ((size_t)rc < n) {
            tap->short_write = true;
            return;
        }
    }
    if (tap->stream && tap->end_after && !tap->sent_end) {
        tap->sent_end = true;
        tap->stream->ops->end(tap->stream);
    }
}

static inline void tap_end(void *ctx) {
    struct tap *tap = ctx;
    assert_false(tap->ended);
    tap->ended = true;
}

static inline void tap_writable(void *ctx) {
    tap_push(ctx);
}

static inline void tap_closed(void *ctx) {
    struct tap *tap = ctx;
    assert_false(tap->closed);
    tap->closed = true;
    tap->stream->ops->close(tap->stream);
    tap->stream = NULL;
}

static const struct stream_events tap_events = {
    .data = tap_data, .end = tap_end, .writable = tap_writable, .closed = tap_closed};

static inline void tap_close(struct tap *tap) {
    if (tap->stream)
        tap->stream->ops->close(tap->stream);
    tap->stream = NULL;
}

static inline struct tap *tap_init(struct pair *pair, struct tap *tap) {
    *tap = (struct tap){.pair = pair, .allowance = pair->allowance, .opened = 1};
    tap->to_send = pair->fill;
    tap->end_after = pair->fill_end;
    return tap;
}

static inline struct tap *tap_attach(struct tap *tap, struct ssh_chan *chan) {
    tap->chan = chan;
    tap->stream = ssh_chan_stream(chan);
    stream_listen(tap->stream, &tap_events, tap);
    return tap;
}

/* `opened` of the channels that this side asks for. */
static inline void tap_opened(void *ctx, struct ssh_chan *chan, int rc) {
    struct tap *tap = ctx;
    assert_int_equal(tap->opened, 1);
    tap->opened = rc;
    if (rc < 0) {
        assert_null(chan);
        return;
    }
    tap_attach(tap, chan);
    tap_push(tap);
    if (tap->stream)
        tap->stream->ops->resume(tap->stream);
}

static inline bool pair_login(void *ctx, struct ssh_conn *conn, const char *user, const struct pubkey *key,
                              bool proven) {
    struct pair *pair = ctx;
    proven ? pair->proven++ : pair->asked++;
    if (pair->hang_up_on_login && proven)
        ssh_conn_close(conn, "not today");
    return !pair->deny_login && strcmp(user, "box1") == 0 &&
           strcmp(key->fingerprint, keypair_public(pair->key)->fingerprint) == 0;
}

static inline struct tap *pair_take(struct pair *pair, struct ssh_chan *chan) {
    assert_true(pair->server_tap_count < TAPS_MAX);
    struct tap *tap = tap_init(pair, &pair->server_taps[pair->server_tap_count++]);
    tap->opened = 0;
    pair->server_tap = tap;
    return tap_attach(tap, chan);
}

static inline int pair_direct(void *ctx, struct ssh_chan *chan, const char *host, uint16_t port, const char *origin,
                              uint16_t origin_port, struct why *why) {
    struct pair *pair = ctx;
    (void)origin;
    (void)origin_port;
    pair->directs++;
    pair->direct_port = port;
    (void)snprintf(pair->direct_host, sizeof pair->direct_host, "%s", host);
    if (pair->deny_direct) {
        why_set(why, "not for you");
        return SP_EDENIED;
    }
    struct tap *tap = pair_take(pair, chan);
    tap_push(tap);
    return 0;
}

static inline int pair_session(void *ctx, struct ssh_chan *chan, const struct ssh_session_request *request,
                               struct why *why) {
    struct pair *pair = ctx;
    pair->sessions++;
    (void)snprintf(pair->command, sizeof pair->command, "%s",
                   request->command     ? request->command
                   : request->subsystem ? request->subsystem
                                        : "(shell)");
    if (pair->deny_session) {
        why_set(why, "no such thing here");
        return SP_EDENIED;
    }
    (void)pair_take(pair, chan);
    return 0;
}

static inline int pair_forward(void *ctx, struct ssh_conn *conn, const char *bind, uint16_t port, struct why *why) {
    struct pair *pair = ctx;
    (void)conn;
    (void)bind;
    (void)port;
    pair->forwards++;
    if (pair->deny_forward) {
        why_set(why, "no forwards");
        return SP_EDENIED;
    }
    return 0;
}

static inline void pair_unforward(void *ctx, struct ssh_conn *conn, const char *bind, uint16_t port) {
    struct pair *pair = ctx;
    (void)conn;
    (void)bind;
    (void)port;
    pair->unforwards++;
}

static inline void pair_there_closed(void *ctx, struct ssh_conn *conn, const char *reason) {
    struct pair *pair = ctx;
    assert_ptr_equal(ssh_conn_context(conn), pair);
    assert_false(pair->there_over);
    pair->there_over = true;
    pair->there = NULL;
    (void)snprintf(pair->there_reason, sizeof pair->there_reason, "%s", reason);
}

static const struct ssh_server_events pair_server_events = {.login = pair_login,
                                                            .direct = pair_direct,
                                                            .session = pair_session,
                                                            .forward = pair_forward,
                                                            .unforward = pair_unforward,
                                                            .closed = pair_there_closed};

static inline void pair_ready(void *ctx) {
    struct pair *pair = ctx;
    assert_false(pair->ready);
    pair->ready = true;
    if (pair->hang_up_on_ready)
        ssh_conn_close(pair->here, "changed my mind");
}

static inline int pair_forwarded(void *ctx, struct ssh_chan *chan, const char *bind, uint16_t port) {
    struct pair *pair = ctx;
    (void)port;
    (void)snprintf(pair->bind, sizeof pair->bind, "%s", bind);
    if (pair->deny_forwarded)
        return SP_EDENIED;
    assert_true(pair->tap_count < TAPS_MAX);
    struct tap *tap = tap_init(pair, &pair->taps[pair->tap_count++]);
    tap->opened = 0;
    tap_attach(tap, chan);
    tap_push(tap);
    return 0;
}

static inline void pair_listening(void *ctx, const char *bind, uint16_t port, uint16_t bound, int rc) {
    struct pair *pair = ctx;
    assert_true(pair->listened < 8);
    if (rc == 0)
        assert_int_equal(port, bound);
    (void)snprintf(pair->listened_bind[pair->listened], 64, "%s", bind);
    pair->listened_rc[pair->listened++] = rc;
}

static inline void pair_here_closed(void *ctx, int rc, const char *reason) {
    struct pair *pair = ctx;
    assert_false(pair->here_over);
    pair->here_over = true;
    pair->here = NULL;
    pair->here_rc = rc;
    (void)snprintf(pair->here_reason, sizeof pair->here_reason, "%s", reason);
}

static const struct ssh_client_events pair_client_events = {
    .ready = pair_ready, .forwarded = pair_forwarded, .listening = pair_listening, .closed = pair_here_closed};

static inline void pair_look(void *ctx) {
    struct pair *pair = ctx;
    if (pair->until && pair->until(pair))
        loop_stop(pair->loop);
    else
        assert_int_equal(loop_timer_set(&pair->look, 1), 0);
}

static inline void pair_late(void *ctx) {
    struct pair *pair = ctx;
    pair->late = true;
    loop_stop(pair->loop);
}

/* Turns until the condition holds (NULL: the whole time); false when that did not come about within so many ms. */
static inline bool pair_wait(struct pair *pair, bool (*until)(struct pair *pair), uint64_t ms) {
    pair->until = until;
    pair->late = false;
    assert_int_equal(loop_timer_set(&pair->limit, ms), 0);
    if (until)
        assert_int_equal(loop_timer_set(&pair->look, 0), 0);
    assert_int_equal(loop_run(pair->loop), 0);
    loop_timer_stop(&pair->look);
    loop_timer_stop(&pair->limit);
    return !pair->late;
}

static inline bool pair_is_up(struct pair *pair) {
    return pair->ready && pair->there && ssh_conn_logged_in(pair->there);
}

static inline bool pair_is_over(struct pair *pair) {
    return pair->here_over && pair->there_over;
}

/* Only the server; the other end of its socket is the caller's. */
static inline int pair_accept(struct pair *pair) {
    int fds[2];
    assert_int_equal(os_socket_pair(fds), 0);
    assert_int_equal(ssh_server_accept(pair->server, fds[0], "192.0.2.1", "", &pair->there), 0);
    ssh_conn_set_context(pair->there, pair);
    pair->there_over = false;
    return fds[1];
}

static inline void pair_connect(struct pair *pair) {
    int fd = pair_accept(pair);
    struct ssh_client_config config = {.loop = pair->loop,
                                       .fd = fd,
                                       .peer = "192.0.2.2",
                                       .user = "box1",
                                       .key = pair->key,
                                       .host_fingerprint = pair->fingerprint ? pair->fingerprint : pair->host_print,
                                       .login_timeout_ms = 10000,
                                       .events = &pair_client_events,
                                       .ctx = pair};
    assert_int_equal(ssh_client_new(&config, &pair->here), 0);
}

static inline void pair_up(struct pair *pair) {
    pair_connect(pair);
    assert_true(pair_wait(pair, pair_is_up, 10000));
}

/* The server opens a stream to the client, as the relay does to a machine. */
static inline struct tap *pair_open(struct pair *pair) {
    struct ssh_chan *unused;
    assert_true(pair->server_tap_count < TAPS_MAX);
    struct tap *tap = tap_init(pair, &pair->server_taps[pair->server_tap_count++]);
    assert_int_equal(ssh_conn_open_forwarded(pair->there, "ssh", 22, "192.0.2.9", 4242, tap_opened, tap, &unused), 0);
    return tap;
}

static inline int pair_setup(void **state) {
    struct pair *pair = calloc(1, sizeof *pair);
    struct keypair *host = NULL;
    struct why why = {""};
    char path[96];
    assert_non_null(pair);
    signal(SIGPIPE, SIG_IGN);
    pair->fds = open_fds();
    pair->allowance = UINT64_MAX;
    (void)snprintf(pair->dir, sizeof pair->dir, "/tmp/sallyport-test-ssh-XXXXXX");
    assert_non_null(mkdtemp(pair->dir));
    assert_int_equal(os_path(pair->host_key, sizeof pair->host_key, pair->dir, "host"), 0);
    assert_int_equal(os_path(path, sizeof path, pair->dir, "key"), 0);
    assert_int_equal(keypair_load_or_make(pair->host_key, &host, &why), 0);
    assert_int_equal(str_copy(pair->host_print, sizeof pair->host_print, keypair_public(host)->fingerprint), 0);
    keypair_free(host);
    assert_int_equal(keypair_load_or_make(path, &pair->key, &why), 0);
    assert_int_equal(loop_new(&pair->loop), 0);
    loop_timer_init(pair->loop, &pair->look, pair_look, pair);
    loop_timer_init(pair->loop, &pair->limit, pair_late, pair);
    struct ssh_server_config config = {
        .loop = pair->loop, .host_key = pair->host_key, .events = &pair_server_events, .ctx = pair};
    assert_int_equal(ssh_server_new(&config, &pair->server, &why), 0);
    *state = pair;
    return 0;
}

/* Ends whatever is left, and then nothing may be: neither events nor descriptors. */
static inline int pair_teardown(void **state) {
    struct pair *pair = *state;
    if (pair->here)
        ssh_conn_close(pair->here, "bye");
    if (pair->there)
        ssh_conn_close(pair->there, "bye");
    loop_drain(pair->loop);
    assert_null(pair->here);
    assert_null(pair->there);
    for (size_t i = 0; i < TAPS_MAX; i++) {
        tap_close(&pair->taps[i]);
        tap_close(&pair->server_taps[i]);
    }
    loop_drain(pair->loop);
    ssh_server_free(pair->server);
    keypair_free(pair->key);
    loop_free(pair->loop);
    assert_int_equal(open_fds(), pair->fds);
    char path[128];
    (void)unlink(pair->host_key);
    assert_int_equal(os_path(path, sizeof path, pair->dir, "key"), 0);
    (void)unlink(path);
    assert_int_equal(rmdir(pair->dir), 0);
    free(pair);
    return 0;
}

#endif
