/* One proof: connects to a candidate, and asks the door, or looks at sshd's host key. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "proof_local.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/door.h"
#include "sallyport/wire/signing.h"
#include "sallyport/wire/socket_line.h"
#include "sallyport/wire/ssh_client.h"

enum { PROOF_MS = 5000, PROOF_LINE_MAX = 256 };

struct proof {
    struct proof_config config;
    struct loop_fd watch;
    struct loop_timer timer;
    struct loop_task finish;
    struct ssh_conn *ssh; /* has the socket, and reports once more: then the proof may be freed */
    bool connected, cancelled;
    uint8_t line[PROOF_LINE_MAX];
    size_t line_len;
    enum candidate_state state;
    char text[CANDIDATE_TEXT_SIZE];
};

static void proof_hang_up(struct proof *proof) {
    int fd = proof->watch.fd;
    loop_fd_remove(&proof->watch);
    if (fd >= 0)
        (void)close(fd);
    loop_timer_stop(&proof->timer);
}

static void proof_free(struct proof *proof) {
    proof_hang_up(proof);
    loop_task_cancel(&proof->finish);
    free(proof);
}

static void proof_finish(void *ctx) {
    struct proof *proof = ctx;
    if (!proof->cancelled)
        proof->config.done(proof->config.ctx, proof->state, proof->text);
    proof_free(proof);
}

static void proof_end(struct proof *proof, enum candidate_state state) {
    proof_hang_up(proof);
    proof->state = state;
    if (state == CANDIDATE_VERIFIED)
        proof->text[0] = '\0';
    loop_task_post(&proof->finish);
}

static void __attribute__((format(printf, 2, 3))) proof_fail(struct proof *proof, const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(proof->text, sizeof proof->text, format, args);
    va_end(args);
    proof_end(proof, CANDIDATE_FAILED);
}

static bool is_mapped(const struct proof *proof) {
    return proof->config.candidate.kind == CANDIDATE_MAPPED;
}

/* Of a connection that did not come to be. */
static void fail_connect(struct proof *proof, int error) {
    const struct candidate *candidate = &proof->config.candidate;
    if (error == ECONNREFUSED && is_mapped(proof))
        proof_fail(proof,
                   "%s refuses connections to port %u: the router said yes to the mapping, but something in front of "
                   "the machine says no",
                   candidate->address, candidate->port);
    else if (error == ECONNREFUSED)
        proof_fail(proof, "%s refuses connections to port %u: a firewall, or nothing listens there", candidate->address,
                   candidate->port);
    else if (error == ETIMEDOUT && is_mapped(proof))
        proof_fail(
            proof,
            "the router said yes, but nothing arrives at %s port %u: the ISP blocks inbound connections, or there "
            "is another router in front",
            candidate->address, candidate->port);
    else if (error == ETIMEDOUT)
        proof_fail(proof, "nothing arrives at %s port %u: a firewall in front of the machine drops it",
                   candidate->address, candidate->port);
    else
        proof_fail(proof, "%s port %u cannot be reached from the relay: %s", candidate->address, candidate->port,
                   strerror(error));
}

static void fail_foreign(struct proof *proof) {
    const struct candidate *candidate = &proof->config.candidate;
    proof_fail(proof,
               "something else than this machine answers at %s port %u: another program or machine has that port",
               candidate->address, candidate->port);
}

static void proof_late(void *ctx) {
    struct proof *proof = ctx;
    if (proof->connected)
        proof_fail(proof, "a connection to %s port %u comes to be, but this machine's door does not answer there",
                   proof->config.candidate.address, proof->config.candidate.port);
    else
        fail_connect(proof, ETIMEDOUT);
}

/* Signed by the key that the machine announced on its own authenticated connection? */
static bool signature_is_good(const struct proof *proof, const struct door_answer *answer) {
    uint8_t signature[SIGNING_SIGNATURE_SIZE];
    size_t n;
    return answer->ok && base64url_decode(answer->text, answer->len, signature, sizeof signature, &n) == 0 &&
           n == sizeof signature &&
           signing_check(proof->config.door_key, TICKET_PROOF_PURPOSE, proof->config.ticket,
                         strlen(proof->config.ticket), signature) == 0;
}

static void proof_hear(struct proof *proof) {
    struct door_answer answer;
    size_t used;
    int rc = socket_line_read(proof->watch.fd, proof->line, sizeof proof->line, &proof->line_len);
    if (rc == SP_EAGAIN)
        return;
    if (rc == 0)
        rc = door_answer_parse(proof->line, proof->line_len, &answer, &used);
    if (rc == 0 && signature_is_good(proof, &answer))
        proof_end(proof, CANDIDATE_VERIFIED);
    else
        fail_foreign(proof);
}

static void proof_ask(struct proof *proof) {
    struct buf line;
    buf_init(&line);
    int rc = door_line_format(&line, DOOR_PROVE, proof->config.ticket);
    size_t n = buf_len(&line);
    if (rc == 0 && send(proof->watch.fd, buf_head(&line), n, MSG_NOSIGNAL) != (ssize_t)n)
        rc = SP_ECLOSED;
    buf_wipe(&line);
    if (rc < 0 || loop_fd_set(&proof->watch, EPOLLIN) < 0)
        fail_foreign(proof);
}

/* The host key was looked at, and no login is wanted: SP_EDENIED is the good end. */
static void ssh_closed(void *ctx, int rc, const char *reason) {
    struct proof *proof = ctx;
    (void)reason;
    proof->ssh = NULL;
    if (rc == SP_EDENIED)
        proof_end(proof, CANDIDATE_VERIFIED);
    else
        fail_foreign(proof);
}

static void ssh_ready(void *ctx) {
    struct proof *proof = ctx;
    ssh_conn_close(proof->ssh, NULL);
}

static const struct ssh_client_events ssh_events = {.ready = ssh_ready, .closed = ssh_closed};

static void proof_look(struct proof *proof) {
    int fd = proof->watch.fd;
    struct ssh_client_config ssh = {.loop = proof->config.relay->loop,
                                    .fd = fd,
                                    .peer = proof->config.candidate.address,
                                    .user = "sallyport-proof",
                                    .host_fingerprint = proof->config.host_fingerprint,
                                    .login_timeout_ms = PROOF_MS,
                                    .events = &ssh_events,
                                    .ctx = proof};
    if (!proof->config.host_fingerprint[0]) {
        proof_fail(proof, "the machine has not said which host keys its sshd has: nothing can be proved");
        return;
    }
    loop_fd_remove(&proof->watch);
    loop_timer_stop(&proof->timer);
    if (ssh_client_new(&ssh, &proof->ssh) < 0)
        fail_foreign(proof);
}

static void proof_ready(void *ctx, uint32_t events) {
    struct proof *proof = ctx;
    int error = 0;
    socklen_t size = sizeof error;
    (void)events;
    if (proof->connected) {
        proof_hear(proof);
        return;
    }
    if (getsockopt(proof->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (error) {
        fail_connect(proof, error);
        return;
    }
    proof->connected = true;
    if (proof->config.candidate.to_sshd)
        proof_look(proof);
    else
        proof_ask(proof);
}

static int proof_connect(struct proof *proof) {
    const struct candidate *candidate = &proof->config.candidate;
    char text[INET6_ADDRSTRLEN + 16];
    struct address address;
    (void)snprintf(text, sizeof text, "[%s]:%u", candidate->address, candidate->port);
    int rc = address_parse(text, &address, NULL), on = 1;
    if (rc < 0)
        return rc;
    int fd = socket(address.sockaddr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return SP_ESYS;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&address.sockaddr, address.size) < 0 && errno != EINPROGRESS)
        fail_connect(proof, errno);
    else if (loop_fd_add(proof->config.relay->loop, &proof->watch, fd, EPOLLOUT, proof_ready, proof) == 0)
        return 0;
    int error = errno;
    (void)close(fd);
    errno = error;
    return proof->text[0] ? 0 : SP_ESYS;
}

int proof_start(const struct proof_config *config, struct proof **out) {
    struct proof *proof = calloc(1, sizeof *proof);
    if (!proof)
        return SP_ENOMEM;
    proof->config = *config;
    loop_fd_init(&proof->watch);
    loop_timer_init(config->relay->loop, &proof->timer, proof_late, proof);
    loop_task_init(config->relay->loop, &proof->finish, proof_finish, proof);
    int rc = loop_timer_set(&proof->timer, PROOF_MS);
    if (rc == 0)
        rc = proof_connect(proof);
    if (rc < 0) {
        proof_free(proof);
        return rc;
    }
    *out = proof;
    return 0;
}

void proof_cancel(struct proof *proof) {
    if (!proof)
        return;
    proof->cancelled = true;
    if (proof->ssh)
        ssh_conn_close(proof->ssh, NULL);
    else
        proof_free(proof);
}
