#include "sallyport/wire/ssh_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pubkey_local.h"
#include "sallyport/base/log.h"
#include "ssh_local.h"

static const char quick_ciphers[] =
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes128-ctr";

enum client_stage { CLIENT_DIALING, CLIENT_KEX, CLIENT_LOGIN, CLIENT_READY };

/* One tcpip-forward or its cancel, in line: libssh has one global request at a time. */
struct forward_wish {
    struct list link;
    char *bind;
    uint16_t port;
    bool cancel;
};

struct client_conn {
    struct ssh_conn conn;
    const struct ssh_client_events *events;
    void *ctx;
    const struct keypair *key;
    char *user;
    char *host_fingerprint;
    struct loop_timer deadline;
    enum client_stage stage;
    int fd; /* until libssh has it */
    struct list wishes;
    int bound;
};

static struct client_conn *client_conn(struct ssh_conn *conn) {
    return list_item(conn, struct client_conn, conn);
}

static int step_dial(struct client_conn *cc) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(cc->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (error == 0) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        if (getpeername(cc->fd, (struct sockaddr *)&peer, &len) < 0)
            return errno == ENOTCONN ? 0 : SP_ESYS;
        cc->stage = CLIENT_KEX;
        int rc = ssh_options_set(cc->conn.session, SSH_OPTIONS_FD, &cc->fd);
        cc->fd = -1; /* libssh's now */
        return rc < 0 ? SP_ENOMEM : 0;
    }
    ssh_conn_reason(&cc->conn, "cannot connect to %s: %s", cc->conn.peer, strerror(error));
    return SP_ECLOSED;
}

static int check_host_key(struct client_conn *cc) {
    ssh_key key = NULL;
    struct pubkey found;
    if (ssh_get_server_publickey(cc->conn.session, &key) != SSH_OK)
        return SP_ECRYPTO;
    int rc = pubkey_from_key(key, &found);
    ssh_key_free(key);
    if (rc < 0)
        return rc;
    if (strcmp(found.fingerprint, cc->host_fingerprint) == 0)
        return 0;
    ssh_conn_reason(&cc->conn,
                    "the server at %s has another host key than expected: it shows %s, expected %s. Somebody may be in "
                    "between, or the relay was set up anew: ask for a new invite",
                    cc->conn.peer, found.fingerprint, cc->host_fingerprint);
    return SP_ECRYPTO;
}

static int step_kex(struct client_conn *cc) {
    int rc = ssh_connect(cc->conn.session);
    if (rc == SSH_AGAIN)
        return 0;
    if (rc != SSH_OK)
        return SP_ECLOSED;
    rc = check_host_key(cc);
    if (rc == 0 && !cc->key) {
        ssh_conn_reason(&cc->conn, "%s has the host key that was expected", cc->conn.peer);
        return SP_EDENIED;
    }
    if (rc == 0)
        cc->stage = CLIENT_LOGIN;
    return rc;
}

static int step_login(struct client_conn *cc) {
    int rc = ssh_userauth_publickey(cc->conn.session, NULL, keypair_key(cc->key));
    if (rc == SSH_AUTH_AGAIN)
        return 0;
    if (rc == SSH_AUTH_ERROR)
        return SP_ECLOSED;
    if (rc != SSH_AUTH_SUCCESS) {
        ssh_conn_reason(&cc->conn, "%s does not let the key %s in as '%s'", cc->conn.peer,
                        keypair_public(cc->key)->fingerprint, cc->user);
        return SP_EDENIED;
    }
    if (ssh_event_add_session(cc->conn.event, cc->conn.session) != SSH_OK)
        return SP_ENOMEM;
    cc->stage = CLIENT_READY;
    cc->conn.phase = SSH_PHASE_OPEN;
    loop_timer_stop(&cc->deadline);
    return 0;
}

static int client_greet(struct ssh_conn *conn) {
    struct client_conn *cc = client_conn(conn);
    enum client_stage before;
    int rc = 0;
    conn->busy++;
    do {
        before = cc->stage;
        if (cc->stage == CLIENT_DIALING)
            rc = step_dial(cc);
        else if (cc->stage == CLIENT_KEX)
            rc = step_kex(cc);
        else if (cc->stage == CLIENT_LOGIN)
            rc = step_login(cc);
    } while (rc == 0 && cc->stage != before && cc->stage != CLIENT_READY);
    conn->busy--;
    if (rc == 0 && cc->stage == CLIENT_READY)
        cc->events->ready(cc->ctx);
    return rc;
}

/* forwarded-tcpip is the only thing a server may ask of us. */
static int on_message(ssh_session session, ssh_message message, void *userdata) {
    (void)session;
    struct client_conn *cc = userdata;
    struct ssh_conn *conn = &cc->conn;
    if (ssh_message_type(message) != SSH_REQUEST_CHANNEL_OPEN ||
        ssh_message_subtype(message) != SSH_CHANNEL_FORWARDED_TCPIP)
        return 1;
    const char *bind = ssh_message_channel_request_open_destination(message);
    int port = ssh_message_channel_request_open_destination_port(message);
    if (!bind || conn->closing || conn->phase != SSH_PHASE_OPEN || conn->channels >= conn->channels_max)
        return 1;
    conn->busy++;
    ssh_channel raw = ssh_message_channel_request_open_reply_accept(message);
    struct ssh_chan *chan = raw ? ssh_chan_new(conn, raw) : NULL;
    if (chan && cc->events->forwarded(cc->ctx, chan, bind, (uint16_t)port) < 0)
        chan->stream.ops->close(&chan->stream);
    if (raw && !chan)
        ssh_channel_free(raw);
    conn->busy--;
    ssh_conn_touch(conn);
    return raw ? 0 : 1;
}

static void wish_free(struct forward_wish *wish) {
    list_remove(&wish->link);
    free(wish->bind);
    free(wish);
}

static void client_settled(struct ssh_conn *conn) {
    struct client_conn *cc = client_conn(conn);
    while (!list_is_empty(&cc->wishes) && conn->phase == SSH_PHASE_OPEN && !conn->closing) {
        struct forward_wish *wish = list_item(cc->wishes.next, struct forward_wish, link);
        conn->busy++;
        int rc = wish->cancel ? ssh_channel_cancel_forward(conn->session, wish->bind, wish->port)
                              : ssh_channel_listen_forward(conn->session, wish->bind, wish->port, &cc->bound);
        conn->busy--;
        if (rc == SSH_AGAIN)
            return;
        if (!wish->cancel) {
            uint16_t bound = wish->port ? wish->port : (uint16_t)cc->bound;
            cc->events->listening(cc->ctx, wish->bind, wish->port, bound, rc == SSH_OK ? 0 : SP_EDENIED);
        }
        wish_free(wish);
    }
}

static int client_wish(struct ssh_conn *conn, const char *bind, uint16_t port, bool cancel) {
    struct client_conn *cc = client_conn(conn);
    if (conn->phase != SSH_PHASE_OPEN || conn->closing)
        return SP_ECLOSED;
    struct forward_wish *wish = calloc(1, sizeof *wish);
    if (!wish)
        return SP_ENOMEM;
    wish->bind = strdup(bind);
    if (!wish->bind) {
        free(wish);
        return SP_ENOMEM;
    }
    wish->port = port;
    wish->cancel = cancel;
    list_append(&cc->wishes, &wish->link);
    ssh_conn_touch(conn);
    return 0;
}

int ssh_client_listen(struct ssh_conn *conn, const char *bind, uint16_t port) {
    return client_wish(conn, bind, port, false);
}

int ssh_client_unlisten(struct ssh_conn *conn, const char *bind, uint16_t port) {
    return client_wish(conn, bind, port, true);
}

void ssh_client_nudge(struct ssh_conn *conn) {
    if (conn->phase != SSH_PHASE_OPEN || conn->closing)
        return;
    conn->busy++;
    (void)ssh_send_ignore(conn->session, "");
    conn->busy--;
    ssh_conn_touch(conn);
}

static void client_late(void *ctx) {
    struct client_conn *cc = ctx;
    if (cc->conn.phase == SSH_PHASE_OVER)
        return;
    ssh_conn_reason(&cc->conn, "%s did not answer in time", cc->conn.peer);
    ssh_conn_fail(&cc->conn, SP_ETIMEOUT, NULL);
}

static void client_over(struct ssh_conn *conn, int rc, const char *reason) {
    struct client_conn *cc = client_conn(conn);
    cc->events->closed(cc->ctx, rc, reason);
}

static void client_free(struct ssh_conn *conn) {
    struct client_conn *cc = client_conn(conn);
    loop_timer_stop(&cc->deadline);
    while (!list_is_empty(&cc->wishes))
        wish_free(list_item(cc->wishes.next, struct forward_wish, link));
    if (cc->fd >= 0)
        (void)close(cc->fd);
    free(cc->user);
    free(cc->host_fingerprint);
    free(cc);
}

static const struct ssh_role client_role = {
    .greet = client_greet, .settled = client_settled, .over = client_over, .free = client_free, .gives_fd = true};

static int client_options(struct client_conn *cc) {
    ssh_session session = cc->conn.session;
    int on = 1;
    if (ssh_options_set(session, SSH_OPTIONS_USER, cc->user) < 0 ||
        ssh_options_set(session, SSH_OPTIONS_HOST, cc->conn.peer) < 0 ||
        ssh_options_set(session, SSH_OPTIONS_NODELAY, &on) < 0 ||
        ssh_options_set(session, SSH_OPTIONS_CIPHERS_C_S, quick_ciphers) < 0 ||
        ssh_options_set(session, SSH_OPTIONS_CIPHERS_S_C, quick_ciphers) < 0)
        return SP_ENOMEM;
    ssh_set_blocking(session, 0);
    ssh_set_message_callback(session, on_message, cc);
    return 0;
}

int ssh_client_new(const struct ssh_client_config *config, struct ssh_conn **out) {
    struct client_conn *cc = calloc(1, sizeof *cc);
    if (!cc) {
        (void)close(config->fd);
        return SP_ENOMEM;
    }
    cc->fd = config->fd;
    cc->events = config->events;
    cc->ctx = config->ctx;
    cc->key = config->key;
    list_init(&cc->wishes);
    loop_timer_init(config->loop, &cc->deadline, client_late, cc);
    int rc = ssh_conn_init(&cc->conn, config->loop, config->fd, config->peer, &client_role, NULL);
    if (rc < 0)
        goto fail;
    cc->user = strdup(config->user);
    cc->host_fingerprint = strdup(config->host_fingerprint);
    rc = !cc->user || !cc->host_fingerprint ? SP_ENOMEM : client_options(cc);
    if (rc == 0)
        rc = loop_fd_set(&cc->conn.watch, EPOLLIN | EPOLLOUT); /* EPOLLOUT: connected */
    if (rc == 0)
        rc = loop_timer_set(&cc->deadline, config->login_timeout_ms);
    if (rc < 0)
        goto fail;
    *out = &cc->conn;
    return 0;
fail:
    ssh_conn_discard(&cc->conn);
    return rc;
}
