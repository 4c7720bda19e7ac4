/* What the files of redact share: reading arguments and writing what may be shown, and which program's option hides what. */
#ifndef SALLYPORT_PROBE_REDACT_LOCAL_H
#define SALLYPORT_PROBE_REDACT_LOCAL_H

#include <stdbool.h>
#include <stddef.h>

struct redact_program;

/* Where reading and writing have come to. */
struct redaction {
    const char *begin, *at, *end;         /* the arguments */
    const char *argument;                 /* where the one that `at` is in begins */
    bool is_script;                       /* it followed -c: several commands for a shell may stand in it */
    const struct redact_program *program; /* the last one that was named and whose options are known; NULL: none */
    bool counts;                          /* its table counts, from its name or a word behind it on */
    bool wants_plain;                     /* its next word that is no option is a secret */
    char *to;                             /* terminated by redact_command */
    size_t len, room;
};

/* redact_text.c */

/* ' ', and what else counts as a blank; letters, figures and what joins them to one name. */
bool redact_is_blank(char c);
bool redact_is_name_char(char c);
/* How much of the argument is left. */
size_t redact_left(const struct redaction *r);
/* Copies so many bytes, made clean. */
void redact_copy(struct redaction *r, size_t len);
/* Puts the mark in their place; nothing for none. */
void redact_hide(struct redaction *r, size_t len);
/* How long the value at `at` is, with its quotes: all that is left when the argument is that option, or the value, alone;
 * else up to a blank or one of `stops` outside of quotes. */
size_t redact_value_length(const struct redaction *r, bool is_alone, const char *stops);
/* What ends the word of a shell; the value in a URL, a list or a script. */
#define REDACT_WORD_STOPS ";&|)`"
#define REDACT_VALUE_STOPS ";&|,})]"

/* redact_value.c */

/* Hides the value behind the name that began at `name`, and its separator. `is_header`: NAME: VALUE. */
void redact_hide_value(struct redaction *r, const char *name, bool is_header, bool is_alone);
/* Goes on to the next word; true when that is the next argument. */
bool redact_go_on(struct redaction *r);
/* Goes on and hides the word there. What looks like another option is not hidden: the one before had no value. */
void redact_hide_next(struct redaction *r);
/* "USER:X": hides what is behind the first of `marks`; all of it when the user is the secret, nothing of two numbers
 * (docker run -u 1000:1000) or a URL. */
void redact_hide_pair(struct redaction *r, bool is_alone, const char *marks);

/* redact_programs.c */

/* How an option's value is written, and what of it is secret. */
enum redact_how {
    REDACT_NOTHING = 0,
    REDACT_ATTACHED = 1, /* -pX */
    REDACT_NEXT = 2,     /* -p X */
    REDACT_PAIR = 4,     /* only what is behind the first of REDACT_PAIR_MARKS in it */
};
#define REDACT_PAIR_MARKS ":%,"

/* The program of that name, without its folder; NULL: its options mean nothing here. */
const struct redact_program *redact_program_find(const char *name, size_t len);
/* Does its table count from that word behind it on ("docker login")? With "" : from the beginning? */
bool redact_program_counts(const struct redact_program *program, const char *word, size_t len);
/* Is the first plain word behind that a secret ("wandb login KEY")? */
bool redact_program_has_plain(const struct redact_program *program);
/* Does a plain word that is a secret's name stand before its value ("aws configure set NAME VALUE")? */
bool redact_program_has_names(const struct redact_program *program);
/* How that word, which begins with '-', holds a secret: REDACT_ATTACHED, in itself, behind the first `option_len` bytes;
 * REDACT_NEXT, in the word behind it; either with REDACT_PAIR; REDACT_NOTHING. */
unsigned redact_program_option(const struct redact_program *program, const char *word, size_t len, size_t *option_len);

#endif
