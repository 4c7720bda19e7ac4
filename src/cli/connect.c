/* `sallyport connect`: one stream to a service by the best route, on standard input and output, or handed to ssh. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "after.h"
#include "handover_fd.h"
#include "pump.h"
#include "race.h"

static void trunk_words(const struct race *race, struct words *words) {
    relay_argv(race->cli, words);
    words_add(words, "-W");
    if (strcmp(race->service, "ssh") == 0)
        words_addf(words, "%s:22", race->box);
    else
        words_addf(words, "%s:%u", race->box, (unsigned)race->answer.port);
    relay_destination(race->cli, words);
}

/* ssh goes on when we have ended; the other ssh, which holds the trunk, stays until the socket's end. */
static int trunk_pass(const struct words *words) {
    int pair[2];
    pid_t pid;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return SP_ESYS;
    (void)fcntl(pair[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(pair[1], F_SETFD, FD_CLOEXEC);
    int rc = process_start(words, pair[1], pair[1], PROCESS_OURS, &pid);
    if (!rc)
        rc = handover_fd_send(STDOUT_FILENO, pair[0]);
    (void)close(pair[0]);
    (void)close(pair[1]);
    return rc;
}

static int trunk_run(struct race *race, bool pass) {
    struct words words;
    struct why why = {""};
    words_init(&words);
    trunk_words(race, &words);
    int rc = pass ? trunk_pass(&words) : process_exec(&words);
    words_fini(&words);
    if (rc == 0)
        return CLI_DONE;
    why_set(&why, "cannot run ssh for the way through the relay: %s", err_text(rc));
    return cli_fail(&why, rc);
}

static void tell_winner(const struct race *race, const struct race_result *result) {
    if (result->route == ROUTE_RELAYED || result->route == ROUTE_PUNCHED)
        cli_debug(race->cli, "route: %s", route_name(result->route));
    else
        cli_debug(race->cli, "route: %s, %s port %u", route_name(result->route), race->ways[result->way].at.address,
                  (unsigned)race->ways[result->way].at.port);
}

static int stream_run(struct race *race, struct race_result *result, bool pass) {
    struct why why = {""};
    int rc = 0;
    tell_winner(race, result);
    if (pass) {
        int flags = fcntl(result->fd, F_GETFL);
        (void)fcntl(result->fd, F_SETFL, flags & ~O_NONBLOCK);
        rc = handover_fd_send(STDOUT_FILENO, result->fd);
    }
    if (rc) {
        why_set(&why, "standard output is no socket that takes a descriptor: --fdpass is for ssh's ProxyUseFdpass");
        return cli_fail(&why, rc);
    }
    after_start(race, result);
    if (!pass) {
        race_fini(race);
        rc = pump_run(result->fd);
    }
    return rc ? cli_fail(NULL, rc) : CLI_DONE;
}

int cli_connect(struct cli *cli, int argc, char **argv) {
    struct race race;
    struct race_result result;
    struct why why = {""};
    char box[SP_NAME_SIZE], service[SP_NAME_SIZE];
    bool pass = cli_take_flag(&argc, argv, "--fdpass");
    if (cli_take_flag(&argc, argv, "-v"))
        cli->verbose = true;
    if (argc != 2)
        return cli_usage("connect", "connect wants a machine and one of its services");
    if (cli_target(argv[0], "", box, service, &why) || service[0] || service_name_check(argv[1], &why))
        return cli_usage("connect", why.text[0] ? why.text : "connect wants the service as a word of its own");
    race_init(&race, cli, box, argv[1], pass);
    int rc = race_run(&race, &result, &why);
    int status;
    if (rc)
        status = cli_fail(&why, rc);
    else if (result.trunk)
        status = trunk_run(&race, pass);
    else
        status = stream_run(&race, &result, pass);
    race_fini(&race);
    return status;
}

int connect_start(const struct cli *cli, const char *box, const char *service, int fd, pid_t *pid) {
    struct words words;
    words_init(&words);
    cli_self(cli, &words, "connect");
    if (cli->verbose)
        words_add(&words, "-v");
    words_add(&words, box);
    words_add(&words, service);
    int rc = process_start(&words, fd, fd, PROCESS_OURS, pid);
    words_fini(&words);
    return rc;
}
