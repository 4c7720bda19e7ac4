#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dial.h"
#include "joined.h"
#include "publish_memory.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/base/work.h"
#include "sallyport/domain/join_url.h"
#include "sallyport/wire/ssh_client.h"

enum { JOIN_MS = 20000, ANSWER_MAX = 4096 };

/* One join, from the dialing to the relay's answer. */
struct join {
    struct loop *loop;
    const struct join_url *url;
    struct keypair *key;
    struct dial *dial;
    struct ssh_conn *conn;
    struct stream *stream;
    struct buf answer;
    int rc;
    struct why why;
};

static void join_stop(struct join *join, int rc, const char *reason) {
    if (join->rc == SP_EAGAIN) {
        join->rc = rc;
        if (reason)
            why_set(&join->why, "%s", reason);
    }
    loop_stop(join->loop);
}

static size_t answer_data(void *ctx, const uint8_t *bytes, size_t n) {
    struct join *join = ctx;
    if (buf_len(&join->answer) + n <= ANSWER_MAX)
        (void)buf_append(&join->answer, bytes, n);
    return n;
}

static void answer_nothing(void *ctx) {
    (void)ctx;
}

static void answer_closed(void *ctx) {
    struct join *join = ctx;
    join->stream->ops->close(join->stream);
    join->stream = NULL;
    join_stop(join, 0, NULL);
}

static const struct stream_events answer_events = {
    .data = answer_data, .end = answer_nothing, .writable = answer_nothing, .closed = answer_closed};

static void join_opened(void *ctx, struct ssh_chan *chan, int rc) {
    struct join *join = ctx;
    if (rc < 0) {
        join_stop(join, SP_ECLOSED, "the relay did not let this machine join: is it a Sallyport relay?");
        return;
    }
    char line[SECRET_TOKEN_LEN + sizeof " machine\n"];
    (void)snprintf(line, sizeof line, "%s machine\n", join->url->token);
    join->stream = ssh_chan_stream(chan);
    stream_listen(join->stream, &answer_events, join);
    (void)join->stream->ops->write(join->stream, (const uint8_t *)line, strlen(line));
    secret_wipe(line, sizeof line);
    join->stream->ops->end(join->stream);
    join->stream->ops->resume(join->stream);
}

static void join_ready(void *ctx) {
    struct join *join = ctx;
    struct ssh_chan *unused;
    if (ssh_conn_open_session(join->conn, NULL, "join", join_opened, join, &unused) < 0)
        join_stop(join, SP_ENOMEM, NULL);
}

static int join_forwarded(void *ctx, struct ssh_chan *chan, const char *bind, uint16_t port) {
    (void)ctx;
    (void)chan;
    (void)bind;
    (void)port;
    return SP_EDENIED;
}

static void join_listening(void *ctx, const char *bind, uint16_t port, uint16_t bound, int rc) {
    (void)ctx;
    (void)bind;
    (void)port;
    (void)bound;
    (void)rc;
}

static void join_closed(void *ctx, int rc, const char *reason) {
    struct join *join = ctx;
    join->conn = NULL;
    join_stop(join, rc, reason);
}

static const struct ssh_client_events join_events = {
    .ready = join_ready, .forwarded = join_forwarded, .listening = join_listening, .closed = join_closed};

static void join_dialed(void *ctx, int rc, int fd, const char *address, const char *reason) {
    struct join *join = ctx;
    join->dial = NULL;
    if (rc < 0) {
        struct why why;
        why_set(&why, "the relay %s port %u: %s", join->url->host, join->url->port, reason);
        join_stop(join, rc, why.text);
        return;
    }
    struct ssh_client_config config = {.loop = join->loop,
                                       .fd = fd,
                                       .peer = address,
                                       .user = "join",
                                       .key = join->key,
                                       .host_fingerprint = join->url->fingerprint,
                                       .login_timeout_ms = JOIN_MS,
                                       .events = &join_events,
                                       .ctx = join};
    rc = ssh_client_new(&config, &join->conn);
    if (rc < 0)
        join_stop(join, rc, NULL);
}

/* The relay's answer: this machine's name, or why not. */
static int join_read_answer(struct join *join, char name[static SP_NAME_SIZE]) {
    json_t *answer = json_loadb((const char *)buf_head(&join->answer), buf_len(&join->answer), 0, NULL);
    const char *error = json_string_value(json_object_get(answer, "error"));
    const char *kind = json_string_value(json_object_get(answer, "joined"));
    const char *given = json_string_value(json_object_get(answer, "name"));
    int rc = SP_EFORMAT;
    if (error) {
        why_set(&join->why, "the relay refused: %s", str_is_clean(error, strlen(error)) ? error : "(unreadable)");
        rc = SP_EEXPIRED;
    } else if (kind && strcmp(kind, "machine") != 0) {
        why_set(&join->why, "that invite was for a person, not for a machine: ask for `invite machine NAME`");
        rc = SP_EINVAL;
    } else if (given && name_check(given, NULL) == 0) {
        rc = str_copy(name, SP_NAME_SIZE, given);
    } else {
        why_set(&join->why, "the relay gave no sensible answer");
    }
    json_decref(answer);
    return rc;
}

static int join_talk(struct join *join) {
    struct work *work = NULL;
    int rc = loop_new(&join->loop);
    if (rc == 0)
        rc = work_new(join->loop, 1, &work);
    join->rc = SP_EAGAIN;
    if (rc == 0)
        rc = dial_new(join->loop, work, join->url->host, join->url->port, join_dialed, join, &join->dial);
    if (rc == 0)
        rc = loop_run(join->loop);
    if (rc == 0)
        rc = join->rc;
    dial_cancel(join->dial);
    if (join->conn)
        ssh_conn_close(join->conn, "joined");
    if (join->loop)
        loop_drain(join->loop);
    work_free(work);
    loop_free(join->loop);
    return rc;
}

int agent_join(const struct agent_config *config, const char *word, struct buf *out, struct why *why) {
    struct join_url url;
    struct joined joined = {0};
    struct join join = {.url = &url};
    char state[4096], key_path[4200];
    int lock = -1;
    int rc = join_url_take(word, STDIN_FILENO, &url, why);
    if (rc == 0)
        rc = joined_state(config, state, sizeof state, why);
    if (rc == 0)
        rc = os_lock_dir(state, &lock, why);
    if (rc < 0)
        goto out;
    if (joined_load(state, &joined, NULL) == 0) {
        why_set(why, "this machine belongs to %s port %u already, as %s: sallyport-agent leave, then join again",
                joined.host, joined.port, joined.name);
        rc = SP_EEXIST;
        goto out;
    }
    rc = joined_key_path(state, key_path, sizeof key_path);
    if (rc == 0)
        rc = keypair_load_or_make(key_path, &join.key, why);
    if (rc < 0)
        goto out;
    buf_init(&join.answer);
    rc = join_talk(&join);
    if (rc == 0)
        rc = join_read_answer(&join, joined.name);
    if (rc < 0) {
        why_set(why, "%s", join.why.text[0] ? join.why.text : err_text(rc));
        goto out;
    }
    joined.port = url.port;
    (void)str_copy(joined.host, sizeof joined.host, url.host);
    (void)str_copy(joined.fingerprint, sizeof joined.fingerprint, url.fingerprint);
    rc = joined_save(state, &joined, why);
    if (rc == 0)
        rc = buf_printf(out, "This machine is %s on %s port %u now.", joined.name, joined.host, joined.port);
out:
    buf_wipe(&join.answer);
    keypair_free(join.key);
    secret_wipe(&url, sizeof url);
    if (lock >= 0)
        (void)close(lock);
    return rc;
}

int agent_leave(const struct agent_config *config, struct buf *out, struct why *why) {
    struct joined joined;
    char state[4096];
    int lock = -1;
    int rc = joined_state(config, state, sizeof state, why);
    if (rc == 0)
        rc = os_lock_dir(state, &lock, why);
    if (rc < 0)
        return rc;
    rc = joined_load(state, &joined, why);
    if (rc == SP_EFORMAT)
        joined.name[0] = '\0';
    if (rc == 0 || rc == SP_EFORMAT)
        rc = joined_remove(state);
    if (rc == 0)
        rc = publish_memory_remove(state); /* the admins of another relay have said nothing of the kind */
    if (rc == 0)
        rc = buf_printf(out, "This machine's key and its relay are forgotten. On the relay: machine remove %s\n",
                        joined.name[0] ? joined.name : "NAME");
    (void)close(lock);
    return rc;
}
