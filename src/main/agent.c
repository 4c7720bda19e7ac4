/* sallyport-agent: join, run, status, leave, check-config. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "program.h"
#include "sallyport/agent/agent.h"
#include "sallyport/base/log.h"

static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};

/* Prints what a command said, or why it failed. */
static int finish(const struct program *program, int rc, struct buf *out, const struct why *why) {
    int status = rc < 0 ? program_fail(program, why, rc) : 0;
    program_print(stdout, out);
    buf_fini(out);
    return status;
}

/* What to type next: with the same options. */
static int say_next(const struct program *program, struct buf *out) {
    int rc = buf_printf(out, " Next: %s run", program->name);
    for (int i = 0; i < program->option_count && rc == 0; i++) {
        rc = buf_append(out, " ", 1);
        if (rc == 0)
            rc = buf_append_quoted(out, program->options[i]);
    }
    return rc < 0 ? rc : buf_append(out, "\n", 1);
}

static int do_join(struct program *program, int argc, char **argv) {
    struct why why = {""};
    struct buf out;
    if (argc != 1)
        return program_usage(
            program,
            "join wants the URL of the invite: join 'sallyport://...', or join - and the URL on standard input");
    buf_init(&out);
    int rc = agent_join(program->config, argv[0], &out, &why);
    if (rc == 0)
        rc = say_next(program, &out);
    return finish(program, rc, &out, &why);
}

static int do_leave(struct program *program, int argc, char **argv) {
    (void)argv;
    struct why why = {""};
    struct buf out;
    if (argc > 0)
        return program_usage(program, "leave takes no arguments");
    buf_init(&out);
    int rc = agent_leave(program->config, &out, &why);
    return finish(program, rc, &out, &why);
}

/* Who started it in a terminal that he reached by way of this very agent must not cut himself off by that. */
static void go_on(void *ctx, int signo) {
    (void)ctx;
    (void)signo;
    log_info("SIGHUP: going on; the configuration is read at the start only");
}

static int do_run(struct program *program, int argc, char **argv) {
    (void)argv;
    struct agent_config *config = program->config;
    if (argc > 0)
        return program_usage(program, "run takes no arguments");
    struct why why = {""};
    int rc = agent_config_check(config, &why);
    if (rc < 0)
        return program_fail(program, &why, rc);
    log_setup(levels[config->log_level]);
    struct loop *loop;
    struct agent *agent = NULL;
    rc = loop_new(&loop);
    if (rc < 0)
        return program_fail(program, &why, rc);
    rc = program_catch_signals(loop);
    if (rc == 0)
        rc = loop_signal(loop, SIGHUP, go_on, NULL);
    if (rc == 0)
        rc = agent_new(loop, config, &agent, &why);
    if (rc < 0) {
        loop_free(loop);
        return program_fail(program, &why, rc);
    }
    rc = loop_run(loop);
    log_info("stopping");
    agent_free(agent);
    loop_free(loop);
    return rc < 0 ? 1 : 0;
}

static int do_status(struct program *program, int argc, char **argv) {
    struct why why = {""};
    struct buf out;
    bool as_json = argc == 1 && strcmp(argv[0], "--json") == 0;
    if (argc > 0 && !as_json)
        return program_usage(program, "status takes nothing but --json");
    buf_init(&out);
    int rc = agent_ask_status(program->config, as_json, &out, &why);
    return finish(program, rc, &out, &why);
}

static int do_check_config(struct program *program, int argc, char **argv) {
    (void)argv;
    struct why why = {""};
    if (argc > 0)
        return program_usage(program, "check-config takes no arguments");
    int rc = agent_config_check(program->config, &why);
    if (rc < 0)
        return program_fail(program, &why, rc);
    (void)printf("the configuration is good\n");
    return 0;
}

static const struct program_command commands[] = {
    {"join", "URL | -", "register this machine with the relay that made this invite; - reads it from standard input",
     do_join, NULL},
    {"run", "", "keep this machine reachable, in the foreground", do_run, NULL},
    {"status", "[--json]", "how the running agent is doing", do_status, "--json"},
    {"leave", "", "forget the relay and this machine's key", do_leave, NULL},
    {"check-config", "", "read the configuration, say what is wrong with it, and leave", do_check_config, NULL},
    {.name = NULL},
};

int main(int argc, char **argv) {
    int helper = agent_helper_main(argc, argv);
    if (helper >= 0)
        return helper;
    struct agent_config config = {0};
    struct program program = {
        .name = "sallyport-agent",
        .role = "agent",
        .summary = "Keeps this machine reachable through a Sallyport relay, or through any SSH server.",
        .commands = commands,
        .table = &agent_options,
        .config = &config,
        .extra = {"service keys", options_manual_keys, &services_config_keys},
    };
    int status = program_main(&program, argc, argv);
    agent_config_fini(&config);
    return status;
}
