/* Finds the verb, reads its options, asks policy, runs it. */
#include "sallyport/relay/verbs.h"

#include <stdio.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/store/users.h"
#include "verbs_local.h"

#define LINE_MAX_LEN 8191

static bool has_verb(const char *name) {
    for (size_t i = 0; i < verb_count; i++) {
        if (strcmp(verb_table[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Would one letter more, less, other, or two letters swapped make the two the same? */
static bool is_near(const char *a, const char *b) {
    while (*a && *a == *b) {
        a++;
        b++;
    }
    if (!*a && !*b)
        return true;
    if (*a && strcmp(a + 1, b) == 0)
        return true;
    if (*b && strcmp(a, b + 1) == 0)
        return true;
    if (*a && *b && strcmp(a + 1, b + 1) == 0)
        return true;
    return *a && *b && a[0] == b[1] && a[1] == b[0] && strcmp(a + 2, b + 2) == 0;
}

static int unknown_verb(struct verb_call *call, const char *name) {
    for (size_t i = 0; i < verb_count; i++) {
        const char *other = verb_table[i].name;
        if (is_near(name, other) || (strlen(name) >= 2 && str_starts(other, name))) {
            verb_say(call, "there is no verb '%s': did you mean '%s'?", name, other);
            return VERB_USAGE;
        }
    }
    verb_say(call, "there is no verb '%s'; there are:", name);
    call->out = call->err;
    (void)verb_help(call);
    return VERB_USAGE;
}

static int show_usage(const struct verb_call *call, const struct verb *verb) {
    char title[32];
    verb_title(verb, title, sizeof(title));
    verb_say(call, "usage: %s %s", title, verb->arguments);
    return VERB_USAGE;
}

/* Of a verb with sub-verbs: all of them. */
static int group_usage(struct verb_call *call, const char *name) {
    for (size_t i = 0; i < verb_count; i++) {
        if (strcmp(verb_table[i].name, name) == 0)
            show_usage(call, &verb_table[i]);
    }
    return VERB_USAGE;
}

static const struct verb *find_verb(const char *name, const char *sub) {
    for (size_t i = 0; i < verb_count; i++) {
        const struct verb *verb = &verb_table[i];
        if (strcmp(verb->name, name) == 0 && (!verb->sub || (sub && strcmp(verb->sub, sub) == 0)))
            return verb;
    }
    return NULL;
}

/* `word` with the value of an option that takes one, `--for 2h` or `--for=2h`; NULL for any other word. */
static const char *value_of(char **words, size_t count, size_t *i, const char *option) {
    size_t len = strlen(option);
    if (!str_starts(words[*i], option))
        return NULL;
    if (words[*i][len] == '=')
        return words[*i] + len + 1;
    if (words[*i][len] != '\0')
        return NULL;
    if (*i + 1 >= count)
        return "";
    return words[++*i];
}

/* Options without a value, and those whose value is a text; --for is read by itself. */
static const struct {
    unsigned bit;
    const char *option;
    size_t offset; /* of a bool in the call */
} flags[] = {
    {VERB_JSON, "--json", offsetof(struct verb_call, json)},
    {VERB_ADMIN, "--admin", offsetof(struct verb_call, admin)},
    {VERB_ALL, "--all", offsetof(struct verb_call, all)},
    {VERB_FREE, "--free", offsetof(struct verb_call, free)},
    {VERB_PRIVATE, "--private", offsetof(struct verb_call, is_private)},
};
static const struct {
    unsigned bit;
    const char *option;
    size_t offset; /* of a const char * in the call */
} texts[] = {
    {VERB_API, "--api", offsetof(struct verb_call, api)},
    {VERB_NOTE, "--note", offsetof(struct verb_call, note)},
    {VERB_USER, "--user", offsetof(struct verb_call, user)},
    {VERB_LAST, "--last", offsetof(struct verb_call, last)},
    {VERB_PRICES, "--machine", offsetof(struct verb_call, prices.machine)},
    {VERB_PRICES, "--power", offsetof(struct verb_call, prices.power)},
    {VERB_PRICES, "--cloud", offsetof(struct verb_call, prices.cloud)},
    {VERB_PRICES, "--since", offsetof(struct verb_call, prices.since)},
    {VERB_PRICES, "--currency", offsetof(struct verb_call, prices.currency)},
};

static bool read_flag(struct verb_call *call, const char *word) {
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (call->verb->takes & flags[i].bit && strcmp(word, flags[i].option) == 0) {
            *(bool *)((char *)call + flags[i].offset) = true;
            return true;
        }
    }
    return false;
}

static bool read_text(struct verb_call *call, char **words, size_t count, size_t *at) {
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *value = call->verb->takes & texts[i].bit ? value_of(words, count, at, texts[i].option) : NULL;
        if (value) {
            memcpy((char *)call + texts[i].offset, &value, sizeof(value));
            return true;
        }
    }
    return false;
}

/* 0: was one; 1: is none of this verb's; VERB_USAGE: has said what is wrong with its value. */
static int read_option(struct verb_call *call, char **words, size_t count, size_t *i) {
    const char *value;
    if (read_flag(call, words[*i]) || read_text(call, words, count, i))
        return 0;
    if (call->verb->takes & VERB_FOR && (value = value_of(words, count, i, "--for"))) {
        if (str_duration(value, &call->duration) == 0 && call->duration > 0)
            return 0;
        verb_say(call, "--for wants a time such as 30m, 24h or 7d, not '%s'", value);
        return VERB_USAGE;
    }
    return 1;
}

/* Does a public key begin here? A name may begin with `ssh-`, too: the blob that follows makes the difference. */
static bool is_key(char *const *words, size_t count) {
    if (count == 0)
        return false;
    if (strcmp(words[0], "-") == 0)
        return true;
    if (!str_starts(words[0], "ssh-") && !str_starts(words[0], "ecdsa-") && !str_starts(words[0], "sk-"))
        return false;
    return strchr(words[0], ' ') || (count > 1 && str_starts(words[1], "AAAA"));
}

bool verb_is_key(const struct verb_call *call, size_t first) {
    return first < call->count && is_key(call->args + first, call->count - first);
}

/* Sorts what follows the verb into options and arguments. False: the call ends, with *status. */
static bool read_words(struct verb_call *call, char **words, size_t count, int *status) {
    *status = VERB_USAGE;
    for (size_t i = 0; i < count; i++) {
        if (call->verb->takes & VERB_KEY && is_key(words + i, count - i)) {
            while (i < count)
                call->args[call->count++] = words[i++];
            break;
        }
        if (!str_starts(words[i], "--")) {
            call->args[call->count++] = words[i];
            continue;
        }
        if (strcmp(words[i], "--help") == 0) {
            call->err = call->out;
            show_usage(call, call->verb);
            verb_say(call, "%s", call->verb->help);
            *status = VERB_DONE;
            return false;
        }
        int rc = read_option(call, words, count, &i);
        if (rc == 1) {
            verb_say(call, "there is no option '%s' here", words[i]);
            show_usage(call, call->verb);
        }
        if (rc)
            return false;
    }
    if (call->count >= call->verb->least && call->count <= call->verb->most)
        return true;
    show_usage(call, call->verb);
    return false;
}

static int refuse(const struct verb_call *call) {
    char title[32];
    verb_title(call->verb, title, sizeof(title));
    verb_audit(call, call->count > 0 ? call->args[0] : "", "refused", "policy");
    if (call->verb->needs == ACTION_OWN_ACCOUNT)
        return verb_fail(call, "'%s' is for users: the operator has no account. Log in by ssh as a user", title);
    return verb_fail(call, "'%s' is for admins only", title);
}

/* Who asks; what he may is read from the store each time. 0, or the exit status. */
static int load_actor(struct verb_call *call, const struct verb_actor *actor) {
    struct user user;
    if (actor->kind == SUBJECT_OPERATOR) {
        call->subject = (struct policy_subject){.kind = SUBJECT_OPERATOR};
        snprintf(call->who, sizeof(call->who), "operator");
        return 0;
    }
    int rc = actor->kind == SUBJECT_USER ? store_user_get(call->store, actor->user_id, &user) : SP_ENOENT;
    if (!rc)
        rc = store_user_subject(call->store, actor->user_id, &call->subject);
    if (rc == SP_ENOENT)
        return verb_fail(call, "this account is not there any more");
    if (rc)
        return verb_end(call, rc);
    memcpy(call->who, user.name, sizeof(call->who));
    if (!verb_may(call, ACTION_ASK))
        return verb_fail(call, "this account is disabled: ask an admin of the relay");
    return 0;
}

/* The actor is loaded. */
static int run(struct verb_call *call, char **words, size_t count) {
    int status;
    if (count == 0) {
        call->verb = find_verb("list", NULL);
        status = verb_list(call);
        verb_say(call, "'help' lists the verbs, 'status BOX' tells more of one machine");
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        if (!str_is_clean(words[i], strlen(words[i]))) {
            verb_say(call, "there are control characters in what was asked, or it is not UTF-8");
            return VERB_USAGE;
        }
    }
    const char *name = strcmp(words[0], "--help") == 0 ? "help" : words[0];
    call->verb = find_verb(name, count > 1 ? words[1] : NULL);
    if (!call->verb && has_verb(name))
        return group_usage(call, name);
    if (!call->verb)
        return unknown_verb(call, name);
    size_t skip = call->verb->sub ? 2 : 1;
    if (!read_words(call, words + skip, count - skip, &status))
        return status;
    return verb_may(call, call->verb->needs) ? call->verb->run(call) : refuse(call);
}

int verbs_run(const struct verbs *verbs, const struct verb_actor *actor, char **words, size_t count, const char *input,
              size_t input_len, struct buf *out, struct buf *err) {
    struct verb_call call = {
        .verbs = verbs,
        .actor = actor,
        .store = verbs->source.store,
        .now = verbs->now(),
        .input = input,
        .input_len = input_len,
        .out = out,
        .err = err,
    };
    if (count > VERB_WORDS_MAX) {
        verb_say(&call, "that is more than %d words", VERB_WORDS_MAX);
        return VERB_USAGE;
    }
    int status = load_actor(&call, actor);
    if (!status)
        status = run(&call, words, count);
    policy_subject_fini(&call.subject);
    return status;
}

int verbs_run_line(const struct verbs *verbs, const struct verb_actor *actor, const char *line, const char *input,
                   size_t input_len, struct buf *out, struct buf *err) {
    char copy[LINE_MAX_LEN + 1];
    char *words[VERB_WORDS_MAX];
    size_t count = 0;
    int rc = str_copy(copy, sizeof(copy), line);
    if (!rc)
        rc = str_words(copy, words, VERB_WORDS_MAX, &count);
    if (!rc)
        return verbs_run(verbs, actor, words, count, input, input_len, out, err);
    (void)buf_printf(err, "%s\n", rc == SP_EFORMAT ? "a quote is not closed" : "that is too long");
    return VERB_USAGE;
}

bool verbs_wants_input(const char *line) {
    char copy[LINE_MAX_LEN + 1];
    char *words[VERB_WORDS_MAX];
    size_t count = 0;
    if (str_copy(copy, sizeof(copy), line) || str_words(copy, words, VERB_WORDS_MAX, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], "-") == 0)
            return true;
    }
    return false;
}
