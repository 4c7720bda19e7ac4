/* `sallyport ssh`: the stock ssh, by the best route, with the machine's host keys known. */
#include <string.h>

#include "cli_local.h"
#include "hostkeys.h"
#include "sallyport/base/str.h"

/* So that nobody is asked to trust a fingerprint: the first time, the relay tells them. */
static int learn_keys(const struct cli *cli, const char *box, struct why *why) {
    struct hostkeys keys;
    struct ask ask = {.service = "ssh"};
    struct answer answer;
    if (hostkeys_find(cli->state, box, &keys) == 0)
        return 0;
    (void)str_copy(ask.box, sizeof ask.box, box);
    int rc = ask_relay(cli, &ask, &answer, why);
    if (!rc && answer.host_key_count == 0)
        cli_debug(cli, "the relay does not know the host keys of %s: ssh goes by its own known_hosts", box);
    return rc;
}

int cli_ssh(struct cli *cli, int argc, char **argv) {
    struct why why = {""};
    struct words words;
    if (argc == 0 || argv[0][0] == '-')
        return cli_usage("ssh", "ssh wants the name of a machine first; ssh's own options come after it");
    char box[SP_NAME_SIZE], service[SP_NAME_SIZE];
    const char *at = strrchr(argv[0], '@');
    if (cli_target(at ? at + 1 : argv[0], "", box, service, &why) || service[0])
        return cli_usage("ssh", why.text[0] ? why.text : "ssh wants the name of a machine, without a service");
    int rc = learn_keys(cli, box, &why);
    if (rc)
        return cli_fail(&why, rc);
    words_init(&words);
    box_argv(cli, &words, box);
    words_addf(&words, "%.*s%s", at ? (int)(at + 1 - argv[0]) : 0, argv[0], box);
    for (int i = 1; i < argc; i++)
        words_add(&words, argv[i]);
    rc = process_exec(&words);
    words_fini(&words);
    why_set(&why, "cannot run ssh: %s", err_text(rc));
    return cli_fail(&why, rc);
}
