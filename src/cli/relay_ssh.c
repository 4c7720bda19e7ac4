/* The relay over SSH, by the stock program: for everything that is asked or ordered, and as the last way of a stream. */
#include <stdio.h>
#include <string.h>

#include "cli_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

enum { VERB_MS = 40000, OUTPUT_MAX = 4 << 20, SSH_FAILED = 255 };

void relay_argv(const struct cli *cli, struct words *words) {
    const struct client *client = &cli->client;
    char path[CLI_PATH_SIZE];
    words_add(words, "ssh");
    words_add(words, "-F");
    words_add(words, "none");
    words_add(words, "-p");
    words_addf(words, "%u", (unsigned)client->port);
    if (client->identity[0])
        words_file(words, "-oIdentityFile=", client->identity);
    else if (os_path(path, sizeof path, cli->state, "id_ed25519") == 0)
        words_file(words, "-oIdentityFile=", path);
    if (os_path(path, sizeof path, cli->state, "relay_known_hosts") == 0)
        words_file(words, "-oUserKnownHostsFile=", path);
    /* A key of our own has no passphrase to be asked for; one that was brought may have. */
    words_addf(words, "-oBatchMode=%s", client->identity[0] ? "no" : "yes");
    static const char *const options[] = {
        "-oIdentitiesOnly=yes",    "-oGlobalKnownHostsFile=none", "-oStrictHostKeyChecking=yes",
        "-oHostKeyAlias=relay",    "-oUpdateHostKeys=no",         "-oPreferredAuthentications=publickey",
        "-oLogLevel=ERROR",        "-oConnectTimeout=10",         "-oServerAliveInterval=10",
        "-oServerAliveCountMax=3", "-oClearAllForwardings=no",    "-oControlPath=none",
        "-oCheckHostIP=no",
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        words_add(words, options[i]);
}

void relay_destination(const struct cli *cli, struct words *words) {
    words_addf(words, "%s@%s", cli->client.user, cli->client.host);
}

void relay_words(struct words *words, const char *const *verb, size_t count) {
    struct buf line;
    buf_init(&line);
    for (size_t i = 0; i < count && !words->rc; i++) {
        if (i > 0)
            words->rc = buf_append(&line, " ", 1);
        if (!words->rc)
            words->rc = buf_append_quoted(&line, verb[i]);
    }
    const char *text = words->rc ? NULL : buf_string(&line);
    if (text)
        words_add(words, text);
    buf_fini(&line);
}

/* The last line of what a program said, clean and without its end. */
static void last_line(struct buf *said, char *to, size_t size) {
    const char *text = buf_string(said);
    size_t len = text ? strlen(text) : 0;
    while (len > 0 && strchr("\r\n \t", text[len - 1]))
        len--;
    size_t begin = len;
    while (begin > 0 && text[begin - 1] != '\n')
        begin--;
    len = str_cut(text ? text + begin : "", len - begin, size - 1);
    if (len == 0 || !str_is_clean(text + begin, len))
        to[0] = '\0';
    else
        (void)snprintf(to, size, "%.*s", (int)len, text + begin);
}

static int verb_failed(const struct cli *cli, int status, struct buf *err, struct why *why) {
    char line[300];
    last_line(err, line, sizeof line);
    if (status == SSH_FAILED) {
        why_set(why, "the relay %s port %u cannot be asked: %s", cli->client.host, (unsigned)cli->client.port,
                line[0] ? line : "ssh says nothing");
        return SP_ECLOSED;
    }
    if (status == 127) {
        why_set(why, "there is no program `ssh` here: install OpenSSH's client");
        return SP_ENOENT;
    }
    cli_reword(line);
    why_set(why, "%s", line[0] ? line : "the relay refused, and said nothing");
    return SP_EDENIED;
}

int relay_verb(const struct cli *cli, const char *const *verb, size_t count, struct buf *out, struct why *why) {
    struct words words;
    struct buf err;
    int status = 0;
    words_init(&words);
    buf_init(&err);
    relay_argv(cli, &words);
    words_add(&words, "-T");
    relay_destination(cli, &words);
    relay_words(&words, verb, count);
    struct process_talk talk = {.out = out, .err = &err, .max = OUTPUT_MAX, .deadline_ms = VERB_MS};
    int rc = process_talk(&words, &talk, &status);
    if (!rc && status)
        rc = verb_failed(cli, status, &err, why);
    else if (rc)
        why_set(why, "asking the relay %s port %u: %s", cli->client.host, (unsigned)cli->client.port, err_text(rc));
    words_fini(&words);
    buf_fini(&err);
    return rc;
}

int cli_relay_verb(struct cli *cli, int argc, char **argv) {
    struct words words;
    struct why why = {""};
    int status = 0;
    words_init(&words);
    relay_argv(cli, &words);
    words_add(&words, "-T");
    relay_destination(cli, &words);
    struct words verb;
    words_init(&verb);
    for (int i = 0; i < argc; i++)
        words_add(&verb, argv[i]);
    if (cli->json)
        words_add(&verb, "--json");
    words.rc = words.rc ? words.rc : verb.rc;
    relay_words(&words, (const char *const *)verb.items, verb.count);
    int rc = process_run(&words, &status);
    words_fini(&verb);
    words_fini(&words);
    if (rc)
        return cli_fail(&why, rc);
    if (status > CLI_USAGE) { /* of ssh itself */
        why_set(&why, "the relay %s port %u could not be asked", cli->client.host, (unsigned)cli->client.port);
        return cli_fail(&why, SP_ECLOSED);
    }
    return status;
}
