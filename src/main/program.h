/* What the daemons' programs share: options, sub-commands, signals, messages. */
#ifndef SALLYPORT_MAIN_PROGRAM_H
#define SALLYPORT_MAIN_PROGRAM_H

#include <stdio.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"
#include "sallyport/base/loop.h"
#include "sallyport/base/manual.h"
#include "sallyport/base/options.h"

struct program;

struct program_command {
    const char *name, *arguments, *help;
    /* The words after the options; returns the exit status. */
    int (*run)(struct program *program, int argc, char **argv);
    const char *flag; /* an argument of its own that looks like an option, such as "--json"; NULL: none */
};

struct program {
    const char *name;                       /* "sallyport-relay" */
    const char *role;                       /* "relay": for the paths of configuration and state */
    const char *summary;                    /* one line for --help */
    const struct program_command *commands; /* ends with name == NULL */
    const struct option_table *table;
    void *config;
    char **options; /* the words of the options that stand before the command's own, while it runs */
    int option_count;
    struct manual_part extra; /* what only its pages of the manual have beside commands and options */
};

/* NAME COMMAND [OPTIONS] [WORDS]: reads --config (or the file at its usual place, if there), then the other options over
 * it, runs the command, and returns the exit status: 0 done, 1 failed, 2 wrong usage. NAME --manual TEMPLATE prints a page of
 * the manual, when the programs are built. */
int program_main(struct program *program, int argc, char **argv);

/* Prints a message and returns 1 or 2. */
int program_fail(const struct program *program, const struct why *why, int rc);
int program_usage(const struct program *program, const char *what);

/* Writes what a buf holds, which may be nothing. */
void program_print(FILE *to, const struct buf *text);

/* SIGTERM and SIGINT stop the loop; SIGPIPE is ignored. */
int program_catch_signals(struct loop *loop);
/* Standard input to its end, at most 64 KiB. */
int program_read_input(struct buf *in, struct why *why);

#endif
