/* Options declared once in a table: the INI parser, the command line, --help and the man page follow from it. */
#ifndef SALLYPORT_BASE_OPTIONS_H
#define SALLYPORT_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sallyport/base/err.h"

enum option_type {
    OPTION_TEXT,     /* char *, owned by the configuration; NULL when the default is NULL */
    OPTION_NUMBER,   /* uint64_t within min..max */
    OPTION_DURATION, /* uint64_t seconds, written as str_duration takes it, within min..max */
    OPTION_FLAG,     /* bool: yes/no, true/false, on/off, 1/0 */
    OPTION_CHOICE,   /* int: place in the '|'-separated list `choices` */
    OPTION_LIST,     /* struct option_list: several values, comma-separated, or the key repeated */
};

struct option_list {
    char **items; /* owned */
    size_t count;
    bool given; /* by options_set: the next one adds to it */
};

struct option {
    const char *name; /* of the INI key (with `_`) and of --name (with `-`) */
    enum option_type type;
    const char *initial; /* as it would be written; NULL: unset */
    const char *help;    /* one line */
    size_t offset;       /* of the member in the configuration struct */
    const char *choices; /* OPTION_CHOICE: "auto|upnp|off" */
    uint64_t min, max;   /* numbers; max 0: no bound */
    const char *metavar; /* in --help: "FILE"; NULL: from the type */
    bool cli;            /* also an option of the command line */
};

/* Keys of a repeated section such as `[service ssh]`: the reader hands each on. `name` is "ssh". Non-zero stops the
 * reading; why says what is wrong with the value, without file and line. */
struct option_section {
    const char *type; /* "service" */
    int (*key)(void *config, const char *name, const char *key, const char *value, struct why *why);
};

struct option_table {
    const struct option *options;          /* ends with name == NULL; keys outside any section, or in [main] */
    const struct option_section *sections; /* ends with type == NULL; may be NULL */
};

/* Fills `config` with the defaults; options_fini frees what the options own and zeroes them. */
int options_init(const struct option_table *table, void *config);
void options_fini(const struct option_table *table, void *config);

/* Reads an INI file over what is there. Every error names file, line, key and the remedy (the closest known key for a
 * misspelt one). SP_ENOENT when there is no such file, SP_EFORMAT for what is in it, SP_ESYS, SP_ENOMEM. */
int options_read(const struct option_table *table, void *config, const char *path, struct why *why);
/* The same from memory; `path` is only for messages. This is what the fuzzer calls. */
int options_parse(const struct option_table *table, void *config, const char *text, size_t len, const char *path,
                  struct why *why);
/* Is there an option of that name? 0, or SP_ENOENT with the one that was meant in why. */
int options_check_name(const struct option_table *table, const char *name, struct why *why);
/* One value by name, as from the command line: SP_ENOENT for an unknown one, SP_EFORMAT, SP_ENOMEM. The first item of
 * a list takes the place of what the file said, further ones add to it. */
int options_set(const struct option_table *table, void *config, const char *name, const char *value, struct why *why);

/* The lines of --help for the options with `cli`, or of a commented example file for all. */
void options_help(const struct option_table *table, FILE *to);
void options_example(const struct option_table *table, FILE *to);
/* The same for a page of the manual, a print of struct manual_part: the options of this struct option_table with `cli`,
 * and all of them as keys of the file. */
void options_manual(const void *table, FILE *to);
void options_manual_keys(const void *table, FILE *to);

#endif
