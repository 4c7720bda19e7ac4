/* forward: a local port that leads to a service of a machine. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loopback.h"
#include "sallyport/base/str.h"
#include "tunnel.h"

enum { STREAMS_MAX = 64, LOOK_MS = 1000 };

static void say_ready(void *ctx, struct tunnel *tunnel) {
    (void)ctx;
    const struct box_service *service = &tunnel->service;
    bool web = service->kind == SERVICE_HTTP;
    cli_say("%s127.0.0.1:%u%s leads to %s/%s%s; Ctrl-C ends it", web ? "http://" : "", (unsigned)tunnel->local,
            web ? service->path : "", tunnel->box, service->name, tunnel->by_sshd ? "" : " through the relay");
}

/* Each connection gets a `sallyport connect` of its own, in our process group. */
static void accept_streams(const struct cli *cli, const char *box, const char *service, int listener) {
    struct pollfd wait = {.fd = listener, .events = POLLIN};
    size_t streams = 0;
    for (;;) {
        pid_t pid;
        while (streams > 0 && waitpid(-1, NULL, streams < STREAMS_MAX ? WNOHANG : 0) > 0)
            streams--;
        if (poll(&wait, 1, LOOK_MS) <= 0)
            continue;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        if (connect_start(cli, box, service, fd, &pid) == 0)
            streams++;
        (void)close(fd);
    }
}

/* What is encrypted by itself needs no ssh around it: it goes by the best route as it is. */
static int forward_streams(const struct cli *cli, const char *box, const struct box_service *service, uint16_t local) {
    struct why why = {""};
    struct watch watch;
    pid_t ended = 0;
    int listener, status = 0, result = CLI_DONE;
    if (loopback_listen(local, &listener, &local)) {
        why_set(&why, "cannot listen on 127.0.0.1:%u: %s", (unsigned)local, strerror(errno));
        return cli_fail(&why, SP_ESYS);
    }
    watch_init(&watch);
    pid_t pid = watch_fork(&watch, true);
    if (pid == 0)
        accept_streams(cli, box, service->name, listener);
    (void)close(listener);
    if (pid > 0) {
        cli_say("127.0.0.1:%u leads to %s/%s; Ctrl-C ends it", (unsigned)local, box, service->name);
        if (watch_next(&watch, 0, &ended, &status) != WATCH_STOPPED)
            result = CLI_FAILED;
    } else {
        result = cli_fail(&why, (int)pid);
    }
    watch_fini(&watch);
    return result;
}

int cli_forward(struct cli *cli, int argc, char **argv) {
    struct why why = {""};
    char box[SP_NAME_SIZE], name[SP_NAME_SIZE];
    struct box_services services;
    struct box_service service;
    uint64_t wanted = 0;
    uint16_t local;
    if (argc < 1 || argc > 2)
        return cli_usage("forward", "forward takes BOX/SERVICE, and a local port if it matters which");
    if (cli_target(argv[0], "", box, name, &why) || !name[0])
        return cli_usage("forward", why.text[0] ? why.text : "say which service of the machine: BOX/SERVICE");
    if (argc == 2 && str_u64(argv[1], 1, UINT16_MAX, &wanted))
        return cli_usage("forward", "a local port is a number from 1 to 65535");
    int rc = box_services_pick(cli, box, name, &services, &service, &why);
    if (!rc)
        rc = tunnel_choose_port((uint16_t)wanted, service.port, &local, &why);
    if (rc)
        return cli_fail(&why, rc);
    if (service.kind == SERVICE_SSH)
        return forward_streams(cli, box, &service, local);
    struct tunnel tunnel = {
        .cli = cli, .box = box, .service = service, .local = local, .try_sshd = box_services_have_ssh(&services)};
    return tunnel_run(&tunnel, say_ready, NULL);
}
