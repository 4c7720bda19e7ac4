/* What the client's files share: one run of the program, its verbs, how it speaks, and how it runs ssh. */
#ifndef SALLYPORT_CLI_LOCAL_H
#define SALLYPORT_CLI_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client.h"
#include "process.h"
#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"
#include "sallyport/domain/ask.h"
#include "words.h"

/* Exit statuses. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

enum { CLI_PATH_SIZE = 4096 };

/* One run. */
struct cli {
    char self[CLI_PATH_SIZE];  /* this program, as an absolute path */
    char state[CLI_PATH_SIZE]; /* the state folder, absolute; not made yet */
    bool state_given;          /* by --state: programs that we start get it, too */
    bool json;                 /* --json was given */
    bool verbose;              /* -v, or SALLYPORT_DEBUG=1 */
    bool joined;               /* `client` is filled in */
    struct client client;
    uint64_t started_ms; /* by os_monotonic_ms */
};

struct cli_command {
    const char *name, *arguments, *help;
    bool hidden;                                        /* from --help: for programs */
    bool joined;                                        /* works only with a relay: cli_main calls cli_load first */
    int (*run)(struct cli *cli, int argc, char **argv); /* the words behind the verb and its options */
};

/* The table of verbs, in cli_table.c; ends with name == NULL. */
extern const struct cli_command cli_commands[];

/* `sallyport: SENTENCE` on standard error; returns CLI_FAILED. rc's own text stands in when why is empty. */
int cli_fail(const struct why *why, int rc);
/* The same for wrong usage, with the usage of that verb when there is one of that name; returns CLI_USAGE. */
int cli_usage(const char *verb, const char *what);
/* `sallyport: ...` on standard error. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same with -v only, with the milliseconds since the start. */
void cli_debug(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes what a buf holds to standard output. SP_ESYS when that is closed or full. */
int cli_print(const struct buf *text);
/* Takes every word that is exactly `flag` out of the arguments; true when there was one. */
bool cli_take_flag(int *argc, char **argv, const char *flag);
/* Splits "BOX[/SERVICE]", checking both names; service becomes `usual` (which may be "") when it is not said.
 * SP_EINVAL. */
int cli_target(const char *text, const char *usual, char box[static SP_NAME_SIZE], char service[static SP_NAME_SIZE],
               struct why *why);

/* The relay's sentences name `ssh RELAY VERB`, for those who have only ssh: here that is `sallyport VERB`; and `list`,
 * which is `ls`. */
void cli_reword(char *text);

/* help.c. All of --help; that of a verb, returning CLI_DONE; and a page of the manual from the template at that path,
 * returning the exit status. */
void cli_help(void);
int cli_help_verb(const struct cli_command *command);
int cli_manual(const char *template);

/* Reads who we are on which relay. SP_ENOENT with what to do in why when nothing was joined yet. */
int cli_load(struct cli *cli, struct why *why);
/* Begins the words of a command that starts this program again: path, verb, --state. */
void cli_self(const struct cli *cli, struct words *words, const char *verb);

/* relay_ssh.c. Appends `ssh` with all options that lead to the relay as who we are: keys, host key, port. Then the
 * caller's own options, then relay_destination, then the words of the verb (relay_words quotes them). */
void relay_argv(const struct cli *cli, struct words *words);
void relay_destination(const struct cli *cli, struct words *words);
void relay_words(struct words *words, const char *const *verb, size_t count);
/* Runs a verb and takes its standard output. 0; SP_EDENIED: the relay's own sentence is in why; SP_ECLOSED: the relay
 * could not be asked. `out` is wiped by the caller when it has a secret. */
int relay_verb(const struct cli *cli, const char *const *verb, size_t count, struct buf *out, struct why *why);

/* box_ssh.c. Appends `ssh` with all options that lead to a machine by the best route: proxy command, host keys. Then
 * the caller's own options, then BOX or USER@BOX, then a command. */
void box_argv(const struct cli *cli, struct words *words, const char *box);
/* Before box_argv, so that nobody is asked to trust a fingerprint: the first time, the relay is asked for the machine's
 * host keys. 0, also when it knows none; as ask_relay. */
int box_learn_keys(const struct cli *cli, const char *box, struct why *why);

/* asking.c. Asks the relay for the ways to a service: at its door when that can be done, else over SSH. The machine's
 * host keys and our ask key are kept. SP_EDENIED: why has the relay's answer (offline since ..., no such machine);
 * SP_ECLOSED: it could not be asked. */
int ask_relay(const struct cli *cli, const struct ask *ask, struct answer *out, struct why *why);

/* connect_start.c. Starts `sallyport connect BOX SERVICE` as a child with `fd` (a connected socket) as its standard
 * input and output; `fd` stays the caller's to close. Its messages go to our standard error. SP_ESYS. */
int connect_start(const struct cli *cli, const char *box, const char *service, int fd, pid_t *pid);

/* The verbs. */
int cli_join(struct cli *cli, int argc, char **argv);
int cli_leave(struct cli *cli, int argc, char **argv);
int cli_ls(struct cli *cli, int argc, char **argv);
int cli_status(struct cli *cli, int argc, char **argv);
int cli_ssh(struct cli *cli, int argc, char **argv);
int cli_jupyter(struct cli *cli, int argc, char **argv);
int cli_open(struct cli *cli, int argc, char **argv);
int cli_forward(struct cli *cli, int argc, char **argv);
int cli_connect(struct cli *cli, int argc, char **argv);
int cli_ssh_config(struct cli *cli, int argc, char **argv);
int cli_known_hosts(struct cli *cli, int argc, char **argv);
int cli_trust(struct cli *cli, int argc, char **argv);
int cli_login(struct cli *cli, int argc, char **argv);
/* Any other words: a verb of the relay. */
int cli_relay_verb(struct cli *cli, int argc, char **argv);

#endif
