#include "program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport_version.h"

enum { INPUT_MAX = 65536 };

/* What stands in no table of options; the first is a key of no file. */
static const struct manual_row own_options[] = {
    {"--config FILE", "configuration to read"},
    {"--help", "the commands and the options, in short"},
    {"--version", "the version"},
    {.usage = NULL},
};

int program_fail(const struct program *program, const struct why *why, int rc) {
    (void)fprintf(stderr, "%s: %s\n", program->name, why->text[0] ? why->text : err_text(rc));
    return 1;
}

int program_usage(const struct program *program, const char *what) {
    (void)fprintf(stderr, "%s: %s\nTry: %s --help\n", program->name, what, program->name);
    return 2;
}

void program_print(FILE *to, const struct buf *text) {
    if (buf_len(text))
        (void)fwrite(buf_head(text), 1, buf_len(text), to);
}

static void program_help(const struct program *program) {
    (void)printf("%s %s\n%s\n\nUsage: %s COMMAND [OPTIONS] [ARGUMENTS]\n\nCommands:\n", program->name,
                 SALLYPORT_VERSION, program->summary, program->name);
    for (const struct program_command *command = program->commands; command->name; command++) {
        char left[64];
        (void)snprintf(left, sizeof left, "%s %s", command->name, command->arguments);
        (void)printf("  %-28s %s\n", left, command->help);
    }
    (void)printf("\nOptions, right after the command, and also keys of the configuration file:\n");
    options_help(program->table, stdout);
    (void)printf("\nOn the command line only:\n");
    for (const struct manual_row *row = own_options; row->usage; row++)
        (void)printf("  %-14s %s\n", row->usage, row->help);
}

static void manual_commands(const void *commands, FILE *to) {
    for (const struct program_command *command = commands; command->name; command++) {
        char usage[64];
        (void)snprintf(usage, sizeof usage, "%s %s", command->name, command->arguments);
        manual_item(usage, command->help, to);
    }
}

static int program_manual(const struct program *program, const char *template) {
    const struct manual_part parts[] = {
        {"commands", manual_commands, program->commands},
        {"options", options_manual, program->table},
        {"own options", manual_rows, own_options},
        {"keys", options_manual_keys, program->table},
        program->extra,
        {.name = NULL},
    };
    struct why why = {""};
    int rc = manual_print(template, parts, stdout, &why);
    return rc < 0 ? program_fail(program, &why, rc) : 0;
}

static const struct program_command *program_find(const struct program *program, const char *name) {
    for (const struct program_command *command = program->commands; command->name; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

/* Splits "--name=value" or takes the next word; returns how many words were used, or 0 when the value is missing. */
static int option_split(int argc, char **argv, char *name, size_t size, const char **value) {
    const char *text = argv[0] + 2;
    const char *equals = strchr(text, '=');
    size_t len = equals ? (size_t)(equals - text) : strlen(text);
    if (len >= size)
        len = size - 1;
    memcpy(name, text, len);
    name[len] = '\0';
    if (equals) {
        *value = equals + 1;
        return 1;
    }
    if (argc < 2)
        return 0;
    *value = argv[1];
    return 2;
}

/* What the words between the command and its own arguments say. */
struct given {
    int count; /* of these words */
    const char *config;
    const char *ask; /* "--help" or "--version"; NULL: neither */
};

/* They end at the first word that is no option, or that is the command's own. */
static int program_options(const struct program *program, const struct program_command *command, int argc, char **argv,
                           struct given *given, bool apply, struct why *why) {
    int i = 0;
    while (i < argc && strncmp(argv[i], "--", 2) == 0) {
        if (command->flag && strcmp(argv[i], command->flag) == 0)
            break;
        char name[64];
        const char *value = NULL;
        if (argv[i][2] == '\0') {
            i++;
            break;
        }
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "--version") == 0) {
            given->ask = argv[i];
            return 0;
        }
        int words = option_split(argc - i, argv + i, name, sizeof name, &value);
        bool is_config = strcmp(name, "config") == 0;
        int rc = is_config ? 0 : options_check_name(program->table, name, why);
        if (rc == 0 && words == 0) {
            why_set(why, "--%s wants a value", name);
            rc = SP_EINVAL;
        }
        if (rc == 0 && is_config)
            given->config = value;
        else if (rc == 0 && apply)
            rc = options_set(program->table, program->config, name, value, why);
        if (rc < 0)
            return rc;
        i += words;
    }
    given->count = i;
    return 0;
}

/* The file that was named must be there; the one at the usual place need not. */
static int program_read_config(const struct program *program, const char *path, struct why *why) {
    char usual[4096];
    if (path)
        return options_read(program->table, program->config, path, why);
    if (os_default_config(usual, sizeof usual, program->role) < 0 || access(usual, F_OK) < 0)
        return 0;
    return options_read(program->table, program->config, usual, why);
}

static bool program_answer(const struct program *program, const char *ask) {
    if (strcmp(ask, "--version") == 0)
        (void)printf("%s %s\n", program->name, SALLYPORT_VERSION);
    else if (strcmp(ask, "--help") == 0 || strcmp(ask, "-h") == 0)
        program_help(program);
    else
        return false;
    return true;
}

static int program_command(struct program *program, const struct program_command *command, int argc, char **argv) {
    struct why why = {""};
    struct given given = {0};
    int rc = program_options(program, command, argc, argv, &given, false, &why);
    if (rc == 0 && given.ask && program_answer(program, given.ask))
        return 0;
    if (rc == 0)
        rc = options_init(program->table, program->config);
    if (rc < 0)
        return program_usage(program, why.text[0] ? why.text : err_text(rc));
    int status = 1;
    rc = program_read_config(program, given.config, &why);
    if (rc < 0) {
        status = program_fail(program, &why, rc);
        goto out;
    }
    rc = program_options(program, command, argc, argv, &given, true, &why);
    if (rc < 0) {
        status = program_usage(program, why.text[0] ? why.text : err_text(rc));
        goto out;
    }
    program->options = argv;
    program->option_count = given.count;
    status = command->run(program, argc - given.count, argv + given.count);
out:
    options_fini(program->table, program->config);
    return status;
}

int program_main(struct program *program, int argc, char **argv) {
    /* Nothing that these programs create is for others to read. */
    (void)umask(077);
    for (int i = 1; i < argc && i < 3; i++)
        if (program_answer(program, argv[i]))
            return 0;
    if (argc == 3 && strcmp(argv[1], "--manual") == 0)
        return program_manual(program, argv[2]);
    if (argc < 2) {
        program_help(program);
        return 2;
    }
    const struct program_command *command = program_find(program, argv[1]);
    if (!command) {
        char what[128];
        (void)snprintf(what, sizeof what, "there is no command '%.64s'", argv[1]);
        return program_usage(program, what);
    }
    return program_command(program, command, argc - 2, argv + 2);
}

static void stop(void *ctx, int signo) {
    (void)signo;
    loop_stop(ctx);
}

int program_catch_signals(struct loop *loop) {
    (void)signal(SIGPIPE, SIG_IGN);
    int rc = loop_signal(loop, SIGTERM, stop, loop);
    return rc < 0 ? rc : loop_signal(loop, SIGINT, stop, loop);
}

int program_read_input(struct buf *in, struct why *why) {
    for (;;) {
        uint8_t *tail;
        int rc = buf_reserve(in, 4096, &tail);
        if (rc < 0)
            return rc;
        ssize_t n = read(STDIN_FILENO, tail, 4096);
        if (n < 0)
            return SP_ESYS;
        if (n == 0)
            return 0;
        buf_commit(in, (size_t)n);
        if (buf_len(in) > INPUT_MAX) {
            why_set(why, "standard input is longer than 64 KiB");
            return SP_ETOOBIG;
        }
    }
}
