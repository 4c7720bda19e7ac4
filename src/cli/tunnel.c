#include "tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback.h"

enum { LOGIN_S = 30, CARRIES_S = 10, PAUSE_MIN_S = 1, PAUSE_MAX_S = 30 };

int tunnel_choose_port(uint16_t wanted, uint16_t usual, uint16_t *out, struct why *why) {
    int fd, rc = loopback_listen(wanted ? wanted : usual, &fd, out);
    if (rc && !wanted)
        rc = loopback_listen(0, &fd, out);
    if (rc) {
        why_set(why, "cannot listen on 127.0.0.1:%u: %s. Name another port, or none", (unsigned)wanted,
                strerror(errno));
        return SP_EBUSY;
    }
    (void)close(fd);
    return 0;
}

/* What both ways have in common. ssh runs its LocalCommand when it listens: that is how we learn it. */
static void add_options(struct words *words) {
    static const char *const fixed[] = {"-N", "-T", "-a", "-x"};
    static const char *const options[] = {
        "BatchMode=yes",          "ExitOnForwardFailure=yes", "ControlMaster=no",
        "ControlPath=none",       "RemoteCommand=none",       "ConnectTimeout=20",
        "ServerAliveInterval=15", "ServerAliveCountMax=3",    "PermitLocalCommand=yes"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        words_add(words, fixed[i]);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        words_add(words, "-o");
        words_add(words, options[i]);
    }
    words_add(words, "-o");
    words_addf(words, "LocalCommand=kill -%d %ld", WATCH_READY, (long)getpid());
}

static pid_t start_ssh(struct tunnel *tunnel, bool by_sshd) {
    struct words words;
    words_init(&words);
    if (by_sshd)
        box_argv(tunnel->cli, &words, tunnel->box);
    else
        relay_argv(tunnel->cli, &words);
    add_options(&words);
    words_add(&words, "-L");
    words_addf(&words, "127.0.0.1:%u:%s:%u", (unsigned)tunnel->local, by_sshd ? "localhost" : tunnel->box,
               (unsigned)tunnel->service.port);
    if (by_sshd)
        words_add(&words, tunnel->box);
    else
        relay_destination(tunnel->cli, &words);
    pid_t pid = words.rc ? words.rc : watch_start(&tunnel->watch, &words);
    words_fini(&words);
    return pid;
}

/* Whether it leads anywhere: an sshd may let its user in and forward nothing. Every web server says something to this. */
static bool carries(const struct tunnel *tunnel) {
    char request[256], byte;
    int fd;
    if (tunnel->service.kind != SERVICE_HTTP)
        return true;
    if (loopback_dial(tunnel->local, CARRIES_S, &fd))
        return false;
    int n = snprintf(request, sizeof request, "HEAD %s HTTP/1.0\r\nHost: 127.0.0.1:%u\r\n\r\n", tunnel->service.path,
                     (unsigned)tunnel->local);
    ssize_t got = send(fd, request, (size_t)n, 0) == n ? recv(fd, &byte, 1, 0) : 0;
    bool slow = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    (void)close(fd);
    return got > 0 || slow;
}

/* Starts one way and waits until it stands: its process; 0 when the command is to end; or what failed. */
static pid_t set_up(struct tunnel *tunnel, bool by_sshd) {
    pid_t pid = start_ssh(tunnel, by_sshd), ended;
    int status;
    if (pid < 0)
        return pid;
    cli_debug(tunnel->cli, "forwarding by %s", by_sshd ? "the machine's sshd" : "the relay");
    switch (watch_next(&tunnel->watch, LOGIN_S, &ended, &status)) {
    case WATCH_IS_READY:
        tunnel->by_sshd = by_sshd;
        if (!by_sshd || carries(tunnel))
            return pid;
        watch_end(&tunnel->watch, pid);
        return SP_EDENIED;
    case WATCH_STOPPED:
        return 0;
    default:
        watch_end(&tunnel->watch, pid);
        return SP_ECLOSED;
    }
}

/* One life of the tunnel. 0: the command is to end; SP_ECLOSED: it could not be set up, or (`up` was set) was lost. */
static int live(struct tunnel *tunnel, void (*ready)(void *ctx, struct tunnel *tunnel), void *ctx, bool *up) {
    pid_t pid = SP_ECLOSED, ended = 0;
    int status, rc = SP_ECLOSED;
    struct why why = {""};
    if (tunnel->try_sshd && box_learn_keys(tunnel->cli, tunnel->box, &why))
        cli_debug(tunnel->cli, "%s", why.text);
    watch_init(&tunnel->watch);
    if (tunnel->try_sshd)
        pid = set_up(tunnel, true);
    if (pid < 0 && tunnel->try_sshd)
        cli_say("%s %s by ssh: going through the relay instead", pid == SP_EDENIED ? "no forwarding on" : "no login on",
                tunnel->box);
    if (pid < 0)
        pid = set_up(tunnel, false);
    if (pid > 0) {
        *up = true;
        ready(ctx, tunnel);
    }
    while (pid > 0 && ended != pid) {
        if (watch_next(&tunnel->watch, 0, &ended, &status) == WATCH_STOPPED)
            pid = 0;
    }
    if (pid == 0)
        rc = 0;
    watch_fini(&tunnel->watch);
    return rc;
}

static void say_again(void *ctx, struct tunnel *tunnel) {
    (void)ctx;
    cli_say("127.0.0.1:%u leads to %s/%s again", (unsigned)tunnel->local, tunnel->box, tunnel->service.name);
}

/* Whether there is no use in trying again: the relay can be asked, and says that this is not for us (any more). */
static bool is_hopeless(struct tunnel *tunnel, struct why *why) {
    struct box_services services;
    int rc = box_services_get(tunnel->cli, tunnel->box, &services, why);
    if (rc)
        return rc == SP_EDENIED;
    const struct box_service *found = box_services_find(&services, tunnel->service.name);
    if (found)
        tunnel->service = *found;
    else if (services.online)
        why_set(why, "%s has no service '%s' for you any more", tunnel->box, tunnel->service.name);
    return !found && services.online;
}

int tunnel_run(struct tunnel *tunnel, void (*ready)(void *ctx, struct tunnel *tunnel), void *ctx) {
    struct why why = {""};
    bool ever = false, up = false;
    unsigned pause = PAUSE_MIN_S;
    while (live(tunnel, ever ? say_again : ready, ctx, &up) != 0) {
        if (!up && !ever) {
            why_set(&why, "no way to %s/%s could be set up", tunnel->box, tunnel->service.name);
            return cli_fail(&why, SP_ECLOSED);
        }
        if (up) {
            cli_say("the connection to %s was lost: trying again", tunnel->box);
            pause = PAUSE_MIN_S;
        }
        ever = true;
        up = false;
        (void)sleep(pause);
        pause = pause * 2 > PAUSE_MAX_S ? PAUSE_MAX_S : pause * 2;
        if (is_hopeless(tunnel, &why))
            return cli_fail(&why, SP_EDENIED);
    }
    return CLI_DONE;
}
