/* The program: its options, the table of verbs, and how it speaks. */
#include "sallyport/cli/cli.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport_version.h"

int cli_fail(const struct why *why, int rc) {
    (void)fprintf(stderr, "sallyport: %s\n", why && why->text[0] ? why->text : err_text(rc));
    return CLI_FAILED;
}

static const struct cli_command *cli_find(const char *name) {
    for (const struct cli_command *command = cli_commands; command->name; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}

int cli_usage(const char *verb, const char *what) {
    const struct cli_command *command = verb ? cli_find(verb) : NULL;
    (void)fprintf(stderr, "sallyport: %s\n", what);
    if (command)
        (void)fprintf(stderr, "Usage: sallyport %s %s\n", command->name, command->arguments);
    else
        (void)fprintf(stderr, "Try: sallyport --help\n");
    return CLI_USAGE;
}

void cli_say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("sallyport: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
}

void cli_debug(const struct cli *cli, const char *format, ...) {
    if (!cli->verbose)
        return;
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "sallyport: %4llu ms  %s\n", (unsigned long long)(os_monotonic_ms() - cli->started_ms), line);
}

int cli_print(const struct buf *text) {
    if (buf_len(text) && fwrite(buf_head(text), 1, buf_len(text), stdout) != buf_len(text))
        return SP_ESYS;
    return fflush(stdout) ? SP_ESYS : 0;
}

bool cli_take_flag(int *argc, char **argv, const char *flag) {
    int kept = 0;
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], flag) != 0)
            argv[kept++] = argv[i];
    }
    bool found = kept < *argc;
    *argc = kept;
    return found;
}

void cli_reword(char *text) {
    static const char theirs[] = "ssh RELAY ", ours[] = "sallyport ";
    static const char their_list[] = "'list' shows", our_list[] = "'ls' shows";
    _Static_assert(sizeof theirs == sizeof ours, "one takes the place of the other");
    for (char *at = strstr(text, theirs); at; at = strstr(at, theirs))
        memcpy(at, ours, sizeof ours - 1);
    char *list = strstr(text, their_list);
    if (list) {
        char *behind = list + sizeof their_list - 1;
        memmove(list + sizeof our_list - 1, behind, strlen(behind) + 1);
        memcpy(list, our_list, sizeof our_list - 1);
    }
}

/* As the relay takes it: in capitals, too, and with a trailing dot. */
static void fold_name(char *name) {
    size_t len = strlen(name);
    if (len > 1 && name[len - 1] == '.')
        name[len - 1] = '\0';
    for (; *name; name++) {
        if (*name >= 'A' && *name <= 'Z')
            *name = (char)(*name - 'A' + 'a');
    }
}

int cli_target(const char *text, const char *usual, char box[static SP_NAME_SIZE], char service[static SP_NAME_SIZE],
               struct why *why) {
    char name[2 * SP_NAME_SIZE];
    if (str_copy(name, sizeof name, text)) {
        why_set(why, "'%.40s...' is too long for the name of a machine", text);
        return SP_EINVAL;
    }
    char *slash = strchr(name, '/');
    if (slash)
        *slash++ = '\0';
    fold_name(name);
    int rc = name_check(name, why);
    if (!rc && (slash || usual[0]))
        rc = service_name_check(slash ? slash : usual, why);
    if (!rc)
        rc = str_copy(box, SP_NAME_SIZE, name);
    return rc ? rc : str_copy(service, SP_NAME_SIZE, slash ? slash : usual);
}

int cli_load(struct cli *cli, struct why *why) {
    int rc = client_load(cli->state, &cli->client, why);
    cli->joined = rc == 0;
    return rc;
}

void cli_self(const struct cli *cli, struct words *words, const char *verb) {
    words_add(words, cli->self);
    words_add(words, verb);
    if (cli->state_given) {
        words_add(words, "--state");
        words_add(words, cli->state);
    }
}

/* The absolute path; links are left as they are, so that it outlives an update. */
static int absolute(const char *path, char to[static CLI_PATH_SIZE]) {
    char here[CLI_PATH_SIZE];
    if (path[0] == '/')
        return str_copy(to, CLI_PATH_SIZE, path);
    if (!getcwd(here, sizeof here))
        return SP_ESYS;
    return os_path(to, CLI_PATH_SIZE, here, path);
}

/* Where this program is: argv[0], looked for as the shell did. */
static int find_self(const char *name, char to[static CLI_PATH_SIZE]) {
    char path[CLI_PATH_SIZE];
    const char *at = getenv("PATH");
    if (strchr(name, '/') || !at)
        return absolute(name, to);
    while (*at) {
        size_t n = strcspn(at, ":");
        int len = snprintf(path, sizeof path, "%.*s/%s", (int)n, n ? at : ".", name);
        if (len > 0 && (size_t)len < sizeof path && access(path, X_OK) == 0)
            return absolute(path, to);
        at += n + (at[n] == ':');
    }
    return absolute(name, to);
}

/* The person's own place, also for root: $XDG_STATE_HOME/sallyport, else ~/.local/state/sallyport. */
static int usual_state(char to[static CLI_PATH_SIZE]) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && state[0] == '/')
        return os_path(to, CLI_PATH_SIZE, state, "sallyport");
    return home && home[0] == '/' ? os_path(to, CLI_PATH_SIZE, home, ".local/state/sallyport") : SP_ENOENT;
}

/* Takes our options off the front. SP_EINVAL with why. */
static int cli_options(struct cli *cli, int *argc, char ***argv, struct why *why) {
    while (*argc > 0) {
        const char *word = (*argv)[0];
        const char *dir = NULL;
        int used = 1;
        if (strcmp(word, "--json") == 0) {
            cli->json = true;
        } else if (strcmp(word, "-v") == 0) {
            cli->verbose = true;
        } else if (str_starts(word, "--state=")) {
            dir = word + 8;
        } else if (strcmp(word, "--state") == 0) {
            dir = *argc > 1 ? (*argv)[1] : "";
            used = 2;
        } else {
            return 0;
        }
        if (dir && (!dir[0] || absolute(dir, cli->state))) {
            why_set(why, "--state wants a folder");
            return SP_EINVAL;
        }
        cli->state_given = cli->state_given || dir;
        *argc -= used;
        *argv += used;
    }
    return 0;
}

static int cli_run(struct cli *cli, int argc, char **argv) {
    struct why why = {""};
    const struct cli_command *command = cli_find(argv[0]);
    char **all = argv++;
    argc--;
    if (cli_options(cli, &argc, &argv, &why))
        return cli_usage(command ? command->name : NULL, why.text);
    if (!cli->state_given && usual_state(cli->state)) {
        why_set(&why, "there is no home folder to keep anything in: give --state DIR");
        return cli_fail(&why, SP_ENOENT);
    }
    if (strstr(cli->state, "${") || strstr(cli->self, "${")) {
        why_set(&why, "ssh takes the ${ in %s for a variable: use another folder",
                strstr(cli->state, "${") ? cli->state : cli->self);
        return cli_fail(&why, SP_EINVAL);
    }
    if (command && argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0))
        return cli_help_verb(command);
    if (!command || command->joined) {
        int rc = cli_load(cli, &why);
        if (rc)
            return cli_fail(&why, rc);
    }
    if (command)
        return command->run(cli, argc, argv);
    *--argv = all[0]; /* where an option was, or the verb itself */
    return cli_relay_verb(cli, argc + 1, argv);
}

int cli_main(int argc, char **argv) {
    struct cli cli = {.started_ms = os_monotonic_ms()};
    struct why why = {""};
    const char *debug = getenv("SALLYPORT_DEBUG");
    cli.verbose = debug && strcmp(debug, "1") == 0;
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc < 1 || find_self(argv[0], cli.self))
        return CLI_FAILED;
    argc--;
    argv++;
    if (cli_options(&cli, &argc, &argv, &why))
        return cli_usage(NULL, why.text);
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        cli_help();
        return CLI_DONE;
    }
    if (argc == 2 && strcmp(argv[0], "--manual") == 0)
        return cli_manual(argv[1]);
    if (argc > 0 && strcmp(argv[0], "--version") == 0) {
        (void)printf("sallyport %s\n", SALLYPORT_VERSION);
        return CLI_DONE;
    }
    if (argc == 0) {
        cli_help();
        return CLI_USAGE;
    }
    if (argv[0][0] == '-') {
        why_set(&why, "there is no option '%.64s'", argv[0]);
        return cli_usage(NULL, why.text);
    }
    return cli_run(&cli, argc, argv);
}
