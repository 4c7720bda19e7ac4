/* What --help and the manual say, from the tables of verbs and options. */
#include <stdio.h>
#include <string.h>

#include "cli_local.h"
#include "sallyport/base/manual.h"
#include "sallyport_version.h"

static const struct manual_row own_options[] = {
    {"--state DIR", "where the keys and what was learned are kept"},
    {"--json", "for programs"},
    {"-v", "tell each step, and why (or SALLYPORT_DEBUG=1)"},
    {"--help", "the verbs and the options, or how a verb is used"},
    {"--version", "the version"},
    {.usage = NULL},
};
static const struct manual_row anything_else = {"RELAY-VERB ...",
                                                "anything else is asked of the relay: `help` lists it"};

/* What does not fit beside goes below. */
static void help_line(const char *left, const char *text) {
    enum { COLUMN = 25 };
    if (strlen(left) > COLUMN)
        (void)printf("  %s\n  %*s", left, COLUMN, "");
    else
        (void)printf("  %-*s", COLUMN, left);
    (void)printf(" %s\n", text);
}

/* The next one that is for people, from `command` on; NULL at the end. */
static const struct cli_command *shown(const struct cli_command *command) {
    while (command->hidden)
        command++;
    return command->name ? command : NULL;
}

static void usage_of(const struct cli_command *command, char *to, size_t size) {
    (void)snprintf(to, size, "%s %s", command->name, command->arguments);
}

void cli_help(void) {
    char usage[64];
    (void)printf("sallyport %s\nReaches your machines by the best route there is.\n\n"
                 "Usage: sallyport VERB [OPTIONS] [ARGUMENTS]\n\nVerbs:\n",
                 SALLYPORT_VERSION);
    for (const struct cli_command *command = shown(cli_commands); command; command = shown(command + 1)) {
        usage_of(command, usage, sizeof usage);
        help_line(usage, command->help);
    }
    help_line(anything_else.usage, anything_else.help);
    (void)printf("\nOptions, right after the verb:\n");
    for (const struct manual_row *row = own_options; row->usage; row++)
        help_line(row->usage, row->help);
}

int cli_help_verb(const struct cli_command *command) {
    (void)printf("Usage: sallyport %s %s\n%s\n", command->name, command->arguments, command->help);
    return CLI_DONE;
}

static void manual_verbs(const void *commands, FILE *to) {
    char usage[64];
    for (const struct cli_command *command = shown(commands); command; command = shown(command + 1)) {
        usage_of(command, usage, sizeof usage);
        manual_item(usage, command->help, to);
    }
    manual_item(anything_else.usage, anything_else.help, to);
}

int cli_manual(const char *template) {
    const struct manual_part parts[] = {
        {"verbs", manual_verbs, cli_commands},
        {"options", manual_rows, own_options},
        {.name = NULL},
    };
    struct why why = {""};
    int rc = manual_print(template, parts, stdout, &why);
    return rc ? cli_fail(&why, rc) : CLI_DONE;
}
