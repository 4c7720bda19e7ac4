/* `sallyport known-hosts`: what ssh asks for host keys (KnownHostsCommand), of machines and, while joining, of the
 * relay. And `sallyport trust`, for when a machine has got new ones. */
#include <stdio.h>
#include <string.h>

#include "cli_local.h"
#include "hostkeys.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

static int print_keys(const char *name, const struct hostkeys *keys) {
    struct buf out;
    buf_init(&out);
    int rc = 0;
    for (size_t i = 0; i < keys->count && !rc; i++)
        rc = buf_printf(&out, "%s %s\n", name, keys->lines[i]);
    if (!rc)
        rc = cli_print(&out);
    buf_fini(&out);
    return rc;
}

/* While joining: EXPECTED is the invite's fingerprint; ssh tells what the relay has shown. Only that key is let in, and
 * only then is it kept. */
static int known_relay(const struct cli *cli, char **argv) {
    const char *expected = argv[0], *print = argv[1], *name = argv[2], *type = argv[3], *blob = argv[4];
    char path[CLI_PATH_SIZE + 32], line[ASK_HOST_KEY_SIZE + 64];
    struct hostkeys key = {.count = 0};
    if (strcmp(expected, print) != 0)
        return CLI_DONE; /* also when ssh only wants to know which types there are */
    (void)snprintf(line, sizeof line, "%s %s", type, blob);
    if (!hostkeys_add(&key, line) || print_keys(name, &key))
        return CLI_FAILED;
    int n = snprintf(line, sizeof line, "relay %s\n", key.lines[0]);
    int rc = os_path(path, sizeof path, cli->state, "relay_known_hosts");
    if (!rc)
        rc = os_write_file(path, line, (size_t)n, 0600);
    return rc ? cli_fail(NULL, rc) : CLI_DONE;
}

static int ask_keys(const struct cli *cli, const char *box, struct answer *answer, struct why *why) {
    struct ask ask = {.punch = false};
    int rc = str_copy(ask.box, sizeof ask.box, box);
    if (!rc)
        rc = str_copy(ask.service, sizeof ask.service, "ssh");
    return rc ? rc : ask_relay(cli, &ask, answer, why);
}

int cli_known_hosts(struct cli *cli, int argc, char **argv) {
    struct hostkeys keys;
    struct answer answer;
    struct why why = {""};
    if (argc == 6 && strcmp(argv[0], "--relay") == 0)
        return known_relay(cli, argv + 1);
    if (argc != 1)
        return cli_usage("known-hosts", "known-hosts wants the name of a machine");
    if (name_check(argv[0], NULL))
        return CLI_DONE; /* ssh asks about addresses, too */
    int rc = hostkeys_find(cli->state, argv[0], &keys);
    if (rc == SP_ENOENT) {
        rc = cli_load(cli, &why);
        if (!rc)
            rc = ask_keys(cli, argv[0], &answer, &why);
        if (!rc && hostkeys_find(cli->state, argv[0], &keys))
            return CLI_DONE;
    }
    if (rc)
        return cli_fail(&why, rc);
    return print_keys(argv[0], &keys) ? CLI_FAILED : CLI_DONE;
}

/* The relay's word is asked for without looking at what was known: that is what the person wants changed. */
int cli_trust(struct cli *cli, int argc, char **argv) {
    struct hostkeys old = {.count = 0}, keys = {.count = 0};
    struct answer answer;
    struct why why = {""};
    char id[44], print[51];
    char box[SP_NAME_SIZE], service[SP_NAME_SIZE];
    if (argc != 1 || cli_target(argv[0], "", box, service, &why) || service[0])
        return cli_usage("trust", why.text[0] ? why.text : "trust wants the name of a machine");
    bool known = hostkeys_find(cli->state, box, &old) == 0;
    int rc = hostkeys_replace(cli->state, box, &keys);
    if (!rc)
        rc = ask_keys(cli, box, &answer, &why);
    if (!rc && hostkeys_find(cli->state, box, &keys)) {
        why_set(&why, "the relay does not know the host keys of %s: its agent has to be running, and a new one", box);
        rc = SP_ENOENT;
    }
    if (rc) {
        if (known)
            (void)hostkeys_replace(cli->state, box, &old);
        return cli_fail(&why, rc);
    }
    for (size_t i = 0; known && i < old.count; i++) {
        if (client_key_id(old.lines[i], id, print) == 0)
            (void)printf("%s was %s\n", box, print);
    }
    for (size_t i = 0; i < keys.count; i++) {
        if (client_key_id(keys.lines[i], id, print) == 0)
            (void)printf("%s is  %s\n", box, print);
    }
    return CLI_DONE;
}
