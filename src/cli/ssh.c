/* `sallyport ssh`: the stock ssh, by the best route, with the machine's host keys known. */
#include <string.h>

#include "cli_local.h"
#include "hostkeys.h"
#include "sallyport/base/str.h"

int box_learn_keys(const struct cli *cli, const char *box, struct why *why) {
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

/* Which word is the machine: the first that is neither an option of ssh nor the value of one; argc when there is none. */
static int find_box(int argc, char **argv) {
    static const char with_value[] = "BbcDEeFIiJLlmOoPpQRSWw";
    int i = 0;
    while (i < argc && argv[i][0] == '-' && argv[i][1]) {
        size_t letter = 1 + strcspn(argv[i] + 1, with_value);
        /* A value may follow its letter at once, or be the next word. */
        i += argv[i][letter] && !argv[i][letter + 1] ? 2 : 1;
    }
    return i < argc ? i : argc;
}

int cli_ssh(struct cli *cli, int argc, char **argv) {
    struct why why = {""};
    struct words words;
    char box[SP_NAME_SIZE], service[SP_NAME_SIZE];
    int place = find_box(argc, argv);
    if (place == argc)
        return cli_usage("ssh", "ssh wants the name of a machine");
    const char *at = strrchr(argv[place], '@');
    if (cli_target(at ? at + 1 : argv[place], "", box, service, &why) || service[0])
        return cli_usage("ssh", why.text[0] ? why.text : "ssh wants the name of a machine, without a service");
    int rc = box_learn_keys(cli, box, &why);
    if (rc)
        return cli_fail(&why, rc);
    words_init(&words);
    box_argv(cli, &words, box);
    for (int i = 0; i < argc; i++) {
        if (i == place)
            words_addf(&words, "%.*s%s", at ? (int)(at + 1 - argv[i]) : 0, argv[i], box);
        else
            words_add(&words, argv[i]);
    }
    rc = process_exec(&words);
    words_fini(&words);
    why_set(&why, "cannot run ssh: %s", err_text(rc));
    return cli_fail(&why, rc);
}
