/* sallyport-relay: run, check-config, ctl. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"
#include "sallyport/base/log.h"
#include "sallyport/relay/relay.h"
#include "sallyport/relay/verbs.h"

static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};

static int do_run(struct program *program, int argc, char **argv) {
    (void)argv;
    struct relay_config *config = program->config;
    if (argc > 0)
        return program_usage(program, "run takes no arguments");
    struct why why = {""};
    int rc = relay_config_check(config, &why);
    if (rc < 0)
        return program_fail(program, &why, rc);
    log_setup(levels[config->log_level]);
    struct loop *loop;
    struct relay *relay = NULL;
    rc = loop_new(&loop);
    if (rc == 0)
        rc = program_catch_signals(loop);
    if (rc == 0)
        rc = relay_new(loop, config, &relay, &why);
    if (rc < 0) {
        loop_free(loop);
        return program_fail(program, &why, rc);
    }
    rc = loop_run(loop);
    log_info("stopping");
    relay_free(relay);
    loop_free(loop);
    return rc < 0 ? 1 : 0;
}

static int do_check_config(struct program *program, int argc, char **argv) {
    (void)argv;
    struct why why = {""};
    if (argc > 0)
        return program_usage(program, "check-config takes no arguments");
    int rc = relay_config_check(program->config, &why);
    if (rc == 0)
        rc = relay_config_try(program->config, &why);
    if (rc < 0)
        return program_fail(program, &why, rc);
    (void)printf("the configuration is good\n");
    return 0;
}

/* Whether one of the words asks for standard input. */
static bool wants_input(int argc, char **argv) {
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "-") == 0)
            return true;
    return false;
}

static int do_ctl(struct program *program, int argc, char **argv) {
    struct why why = {""};
    struct buf in, out, err;
    buf_init(&in);
    buf_init(&out);
    buf_init(&err);
    int status = 1;
    int rc = wants_input(argc, argv) ? program_read_input(&in, &why) : 0;
    if (rc == 0)
        rc = relay_ask(program->config, argv, (size_t)argc, (const char *)buf_head(&in), buf_len(&in), &out, &err,
                       &status, &why);
    if (rc < 0) {
        status = program_fail(program, &why, rc);
    } else {
        program_print(stdout, &out);
        program_print(stderr, &err);
    }
    buf_wipe(&in);
    buf_wipe(&out);
    buf_fini(&err);
    return status;
}

static const struct program_command commands[] = {
    {"run", "", "serve, in the foreground", do_run, NULL},
    {"check-config", "", "read the configuration, say what is wrong with it, and leave", do_check_config, NULL},
    {"ctl", "VERB...", "ask the running relay (ctl help lists the verbs)", do_ctl, NULL},
    {.name = NULL},
};

int main(int argc, char **argv) {
    struct relay_config config = {0};
    struct program program = {
        .name = "sallyport-relay",
        .role = "relay",
        .summary = "The way in to machines behind other people's routers: serves SSH and a web page on one port.",
        .commands = commands,
        .table = &relay_options,
        .config = &config,
        .extra = {"verbs", verbs_manual, NULL},
    };
    return program_main(&program, argc, argv);
}
