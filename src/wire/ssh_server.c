#include "sallyport/wire/ssh_server.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pubkey_local.h"
#include "sallyport/base/log.h"
#include "sallyport/base/str.h"
#include "ssh_local.h"

enum {
    LOGIN_ATTEMPTS = 24,           /* an agent may hold many keys, and each is asked about and then used */
    REQUESTS_WHILE_STALLED = 1000, /* questions of a peer that does not read our answers */
};

static const char key_exchanges[] = "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256";
static const char macs[] = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512";
static const char user_keys[] =
    "ssh-ed25519,sk-ssh-ed25519@openssh.com,ecdsa-sha2-nistp256,sk-ecdsa-sha2-nistp256@openssh.com,"
    "ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256";

struct ssh_server {
    struct loop *loop;
    const struct ssh_server_events *events;
    void *ctx;
    ssh_bind any, quick;
};

struct server_conn {
    struct ssh_conn conn; /* first: one is cast to the other */
    struct ssh_server_callbacks_struct callbacks;
    unsigned attempts;
    unsigned stalled_requests;
    bool logged_in;
    bool greeted;
};

static struct server_conn *server_conn(struct ssh_conn *conn) {
    return list_item(conn, struct server_conn, conn);
}

static struct ssh_server *server_of(const struct ssh_conn *conn) {
    return conn->owner;
}

static int bind_new(const char *host_key, const char *ciphers, ssh_bind *out) {
    ssh_bind made = ssh_bind_new();
    if (!made)
        return SP_ENOMEM;
    bool off = false;
    int rsa_bits = 2048;
    if (ssh_bind_options_set(made, SSH_BIND_OPTIONS_PROCESS_CONFIG, &off) < 0 ||
        ssh_bind_options_set(made, SSH_BIND_OPTIONS_HOSTKEY, host_key) < 0 ||
        ssh_bind_options_set(made, SSH_BIND_OPTIONS_CIPHERS_C_S, ciphers) < 0 ||
        ssh_bind_options_set(made, SSH_BIND_OPTIONS_CIPHERS_S_C, ciphers) < 0 ||
        ssh_bind_options_set(made, SSH_BIND_OPTIONS_KEY_EXCHANGE, key_exchanges) < 0 ||
        ssh_bind_options_set(made, SSH_BIND_OPTIONS_HMAC_C_S, macs) < 0 ||
        ssh_bind_options_set(made, SSH_BIND_OPTIONS_HMAC_S_C, macs) < 0 ||
        ssh_bind_options_set(made, SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS, "ssh-ed25519") < 0 ||
        ssh_bind_options_set(made, SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, user_keys) < 0 ||
        ssh_bind_options_set(made, SSH_BIND_OPTIONS_RSA_MIN_SIZE, &rsa_bits) < 0 ||
        ssh_bind_options_set(made, SSH_BIND_OPTIONS_BANNER, "sallyport") < 0) {
        ssh_bind_free(made);
        return SP_ECRYPTO;
    }
    *out = made;
    return 0;
}

int ssh_server_new(const struct ssh_server_config *config, struct ssh_server **out, struct why *why) {
    struct ssh_server *server = calloc(1, sizeof *server);
    if (!server)
        return SP_ENOMEM;
    server->loop = config->loop;
    server->events = config->events;
    server->ctx = config->ctx;
    int rc =
        bind_new(config->host_key,
                 "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr",
                 &server->any);
    if (rc == 0)
        rc = bind_new(config->host_key, "aes128-gcm@openssh.com,aes256-gcm@openssh.com", &server->quick);
    if (rc < 0) {
        why_set(why, "the host key %s cannot be used: %s", config->host_key, err_text(rc));
        ssh_server_free(server);
        return rc;
    }
    *out = server;
    return 0;
}

void ssh_server_free(struct ssh_server *server) {
    if (!server)
        return;
    ssh_bind_free(server->any);
    ssh_bind_free(server->quick);
    free(server);
}

/* The client's order of ciphers wins, and OpenSSH puts chacha20 first, which costs twice the time of AES-GCM on a
 * processor with AES instructions. Clients that are known to have AES-GCM are offered nothing else there. */
static ssh_bind bind_for(const struct ssh_server *server, const char *banner) {
#if defined(__x86_64__) || defined(__i386__)
    bool aes = __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#else
    bool aes = false;
#endif
    if (!aes)
        return server->any;
    bool has_gcm = str_starts(banner, "SSH-2.0-OpenSSH_7") || str_starts(banner, "SSH-2.0-OpenSSH_8") ||
                   str_starts(banner, "SSH-2.0-OpenSSH_9") || str_starts(banner, "SSH-2.0-OpenSSH_10") ||
                   str_starts(banner, "SSH-2.0-OpenSSH_for_Windows_");
    return has_gcm ? server->quick : server->any;
}

bool ssh_conn_logged_in(const struct ssh_conn *conn) {
    return ((const struct server_conn *)conn)->logged_in;
}

static int on_pubkey(ssh_session session, const char *user, struct ssh_key_struct *key, char state, void *userdata) {
    (void)session;
    struct server_conn *sc = userdata;
    struct ssh_server *server = server_of(&sc->conn);
    if (sc->logged_in)
        return SSH_AUTH_DENIED;
    if (++sc->attempts > LOGIN_ATTEMPTS) {
        ssh_conn_close(&sc->conn, "too many keys tried: name the right one with ssh -i FILE -o IdentitiesOnly=yes");
        return SSH_AUTH_DENIED;
    }
    bool proven = state == SSH_PUBLICKEY_STATE_VALID;
    if (!proven && state != SSH_PUBLICKEY_STATE_NONE)
        return SSH_AUTH_DENIED;
    struct pubkey public;
    if (pubkey_from_key(key, &public) < 0)
        return SSH_AUTH_DENIED;
    if (!server->events->login(server->ctx, &sc->conn, user, &public, proven))
        return SSH_AUTH_DENIED;
    if (proven)
        sc->logged_in = true;
    return SSH_AUTH_SUCCESS;
}

/* Every open is answered at once: libssh frees the message when we return. Returns 1 for libssh's plain refusal. */
static int open_direct(struct server_conn *sc, ssh_message message) {
    struct ssh_server *server = server_of(&sc->conn);
    const char *host = ssh_message_channel_request_open_destination(message);
    const char *origin = ssh_message_channel_request_open_originator(message);
    int port = ssh_message_channel_request_open_destination_port(message);
    int origin_port = ssh_message_channel_request_open_originator_port(message);
    if (!host || !origin)
        return 1;
    /* Taken first and answered after: a refusal with its reason needs an open channel to say it on. */
    ssh_channel raw = ssh_message_channel_request_open_reply_accept(message);
    if (!raw)
        return 1;
    struct ssh_chan *chan = ssh_chan_new(&sc->conn, raw);
    if (!chan) {
        ssh_channel_free(raw);
        return 0;
    }
    struct why why = {""};
    if (server->events->direct(server->ctx, chan, host, (uint16_t)port, origin, (uint16_t)origin_port, &why) < 0)
        chan->stream.ops->close(&chan->stream);
    return 0;
}

static int open_session(struct server_conn *sc, ssh_message message) {
    ssh_channel raw = ssh_message_channel_request_open_reply_accept(message);
    if (!raw)
        return 1;
    struct ssh_chan *chan = ssh_chan_new(&sc->conn, raw);
    if (chan)
        chan->unasked = true;
    else
        ssh_channel_free(raw);
    return 0;
}

static int on_open(struct server_conn *sc, ssh_message message) {
    if (sc->conn.channels >= sc->conn.channels_max)
        return 1;
    switch (ssh_message_subtype(message)) {
    case SSH_CHANNEL_SESSION:
        return open_session(sc, message);
    case SSH_CHANNEL_DIRECT_TCPIP:
        return open_direct(sc, message);
    default:
        return 1;
    }
}

static int on_request(struct server_conn *sc, ssh_message message) {
    struct ssh_server *server = server_of(&sc->conn);
    struct ssh_chan *chan = ssh_chan_find(&sc->conn, ssh_message_channel_request_channel(message));
    if (!chan || !chan->unasked || chan->abandoned)
        return 1;
    struct ssh_session_request request = {.terminal = chan->terminal};
    switch (ssh_message_subtype(message)) {
    case SSH_CHANNEL_REQUEST_PTY:
        chan->terminal = true;
        (void)ssh_message_channel_request_reply_success(message);
        return 0;
    case SSH_CHANNEL_REQUEST_ENV:
    case SSH_CHANNEL_REQUEST_WINDOW_CHANGE:
        (void)ssh_message_channel_request_reply_success(message);
        return 0;
    case SSH_CHANNEL_REQUEST_SHELL:
        break;
    case SSH_CHANNEL_REQUEST_EXEC:
        request.command = ssh_message_channel_request_command(message);
        break;
    case SSH_CHANNEL_REQUEST_SUBSYSTEM:
        request.subsystem = ssh_message_channel_request_subsystem(message);
        break;
    default:
        return 1;
    }
    chan->unasked = false; /* one program a channel (RFC 4254 section 6.5) */
    struct why why = {""};
    if (server->events->session(server->ctx, chan, &request, &why) == 0) {
        (void)ssh_message_channel_request_reply_success(message);
        return 0;
    }
    if (why.text[0]) {
        ssh_chan_complain(chan, why.text);
        ssh_chan_complain(chan, "\n");
    }
    chan->stream.ops->close(&chan->stream);
    return 1;
}

static int on_global(struct server_conn *sc, ssh_message message) {
    struct ssh_server *server = server_of(&sc->conn);
    const char *bind = ssh_message_global_request_address(message);
    int port = ssh_message_global_request_port(message);
    if (!bind || port < 0 || port > UINT16_MAX)
        return 1;
    if (ssh_message_subtype(message) == SSH_GLOBAL_REQUEST_CANCEL_TCPIP_FORWARD) {
        server->events->unforward(server->ctx, &sc->conn, bind, (uint16_t)port);
        (void)ssh_message_global_request_reply_success(message, 0);
        return 0;
    }
    if (ssh_message_subtype(message) != SSH_GLOBAL_REQUEST_TCPIP_FORWARD)
        return 1;
    struct why why = {""};
    if (server->events->forward(server->ctx, &sc->conn, bind, (uint16_t)port, &why) == 0) {
        (void)ssh_message_global_request_reply_success(message, (uint16_t)port);
        return 0;
    }
    if (why.text[0])
        (void)ssh_send_debug(sc->conn.session, why.text, 1);
    return 1;
}

/* Called by libssh for everything but keys. 0: answered; 1: libssh answers with a plain refusal. */
static int on_message(ssh_session session, ssh_message message, void *userdata) {
    struct server_conn *sc = userdata;
    int type = ssh_message_type(message);
    /* libssh keeps its own state of the login; one bug there (CVE-2018-10933) was enough: ours decides. */
    if (type == SSH_REQUEST_SERVICE || type == SSH_REQUEST_AUTH || !sc->logged_in || sc->conn.closing)
        return 1;
    if (ssh_get_poll_flags(session) & SSH_WRITE_PENDING) {
        if (++sc->stalled_requests > REQUESTS_WHILE_STALLED)
            ssh_conn_close(&sc->conn, "too many requests without reading the answers");
    } else {
        sc->stalled_requests = 0;
    }
    sc->conn.busy++;
    int rc = 1;
    if (type == SSH_REQUEST_CHANNEL_OPEN)
        rc = on_open(sc, message);
    if (type == SSH_REQUEST_CHANNEL)
        rc = on_request(sc, message);
    if (type == SSH_REQUEST_GLOBAL)
        rc = on_global(sc, message);
    sc->conn.busy--;
    ssh_conn_touch(&sc->conn);
    return rc;
}

static int server_greet(struct ssh_conn *conn) {
    struct server_conn *sc = server_conn(conn);
    int rc = ssh_handle_key_exchange(conn->session);
    if (!sc->greeted) {
        sc->greeted = true;
        if (rc != SSH_ERROR && ssh_event_add_session(conn->event, conn->session) != SSH_OK)
            return SP_ENOMEM;
    }
    if (rc == SSH_ERROR)
        return SP_ECLOSED;
    if (rc == SSH_OK)
        conn->phase = SSH_PHASE_OPEN;
    return 0;
}

static void server_over(struct ssh_conn *conn, int rc, const char *reason) {
    (void)rc;
    struct ssh_server *server = server_of(conn);
    server->events->closed(server->ctx, conn, reason);
}

static void server_conn_free(struct ssh_conn *conn) {
    free(server_conn(conn));
}

static const struct ssh_role server_role = {.greet = server_greet, .over = server_over, .free = server_conn_free};

int ssh_server_accept(struct ssh_server *server, int fd, const char *peer, const char *banner, struct ssh_conn **out) {
    struct server_conn *sc = calloc(1, sizeof *sc);
    if (!sc) {
        (void)close(fd);
        return SP_ENOMEM;
    }
    int rc = ssh_conn_init(&sc->conn, server->loop, fd, peer, &server_role, server);
    if (rc < 0) {
        (void)close(fd);
        goto fail;
    }
    ssh_session session = sc->conn.session;
    if (ssh_bind_accept_fd(bind_for(server, banner), session, fd) != SSH_OK) {
        rc = SP_ECRYPTO; /* libssh has the socket and closes it */
        goto fail;
    }
    ssh_set_blocking(session, 0);
    ssh_set_auth_methods(session, SSH_AUTH_METHOD_PUBLICKEY);
    sc->callbacks.userdata = sc;
    sc->callbacks.auth_pubkey_function = on_pubkey;
    ssh_callbacks_init(&sc->callbacks);
    if (ssh_set_server_callbacks(session, &sc->callbacks) != SSH_OK) {
        rc = SP_ECRYPTO;
        goto fail;
    }
    ssh_set_message_callback(session, on_message, sc);
    rc = server_greet(&sc->conn);
    if (rc < 0)
        goto fail;
    *out = &sc->conn;
    return 0;
fail:
    ssh_conn_discard(&sc->conn);
    return rc;
}
