#include "box_ssh.h"

#include <string.h>

#include "hostkeys.h"

/* `Key=COMMAND TAIL`. ssh replaces what begins with % in the command, so that is doubled there; the tail is meant so. */
static void add_command(struct words *options, const char *key, const struct words *command, const char *tail) {
    struct buf line, safe;
    buf_init(&line);
    buf_init(&safe);
    int rc = words_line(command, &line);
    const char *text = rc ? NULL : buf_string(&line);
    if (text)
        rc = words_percent(&safe, text);
    const char *done = text && !rc ? buf_string(&safe) : NULL;
    if (done)
        words_addf(options, "%s=%s%s", key, done, tail);
    else
        options->rc = SP_ENOMEM;
    buf_fini(&line);
    buf_fini(&safe);
}

void box_options(const struct cli *cli, const char *box, bool known, struct words *options) {
    struct words command;
    words_init(&command);
    cli_self(cli, &command, "connect");
    if (cli->verbose)
        words_add(&command, "-v");
    words_add(&command, "--fdpass");
    words_add(&command, box);
    words_add(&command, "ssh");
    add_command(options, "ProxyCommand", &command, "");
    words_fini(&command);
    words_add(options, "ProxyUseFdpass=yes");
    words_addf(options, "HostKeyAlias=%s", box);
    words_add(options, "CheckHostIP=no");
    if (!known)
        return;
    words_init(&command);
    cli_self(cli, &command, "known-hosts");
    add_command(options, "KnownHostsCommand", &command, " %H");
    words_fini(&command);
    words_add(options, "UserKnownHostsFile=none");
    words_add(options, "GlobalKnownHostsFile=none");
    words_add(options, "StrictHostKeyChecking=yes");
    words_add(options, "UpdateHostKeys=no");
}

void box_argv(const struct cli *cli, struct words *words, const char *box) {
    struct words options;
    struct hostkeys keys;
    words_init(&options);
    box_options(cli, box, hostkeys_find(cli->state, box, &keys) == 0, &options);
    words_add(words, "ssh");
    for (size_t i = 0; i < options.count; i++)
        words_addf(words, "-o%s", options.items[i]);
    words->rc = words->rc ? words->rc : options.rc;
    words_fini(&options);
}
