/* `sallyport join`: makes a key, has the relay register it, and remembers the relay. `sallyport leave` forgets. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/join_url.h"
#include "sallyport/domain/jsonline.h"
#include "ssh_config.h"

enum { TALK_MS = 60000, TALK_MAX = 16384, SSH_OLDEST = 805 };

/* ssh -V says "OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.22". KnownHostsCommand came with 8.5. */
static int check_ssh(struct why *why) {
    struct words words;
    struct buf out, err;
    int status = 0;
    unsigned major = 0, minor = 0;
    words_init(&words);
    buf_init(&out);
    buf_init(&err);
    words_add(&words, "ssh");
    words_add(&words, "-V");
    struct process_talk talk = {.out = &out, .err = &err, .max = TALK_MAX, .deadline_ms = TALK_MS};
    int rc = process_talk(&words, &talk, &status);
    const char *said = rc ? NULL : buf_string(&err);
    const char *number = said ? strstr(said, "OpenSSH_") : NULL;
    if (!rc && (!number || sscanf(number, "OpenSSH_%u.%u", &major, &minor) != 2)) { /* NOLINT(cert-err34-c) */
        why_set(why, "there is no OpenSSH here: install its client, 8.5 or later");
        rc = SP_ENOENT;
    } else if (!rc && major * 100 + minor < SSH_OLDEST) {
        why_set(why, "the ssh here is OpenSSH %u.%u, and 8.5 or later is needed (for KnownHostsCommand): update it",
                major, minor);
        rc = SP_EVERSION;
    }
    words_fini(&words);
    buf_fini(&out);
    buf_fini(&err);
    return rc;
}

/* The private key: the one that was named, or one of our own, made if need be. Its public half's line in `line`. */
static int prepare_key(const struct cli *cli, const char *identity, char path[static CLI_PATH_SIZE], struct buf *line,
                       struct why *why) {
    char public[CLI_PATH_SIZE + 8];
    struct words words;
    int status = 0, rc;
    if (identity)
        rc = realpath(identity, path) ? 0 : SP_ENOENT; /* NOLINT: path has PATH_MAX bytes */
    else
        rc = os_path(path, CLI_PATH_SIZE, cli->state, "id_ed25519");
    if (rc) {
        why_set(why, "cannot read the key %s: %s", identity ? identity : cli->state, strerror(errno));
        return rc;
    }
    if (!identity && access(path, F_OK)) {
        words_init(&words);
        words_add(&words, "ssh-keygen");
        words_add(&words, "-q");
        words_add(&words, "-t");
        words_add(&words, "ed25519");
        words_add(&words, "-N");
        words_add(&words, "");
        words_add(&words, "-C");
        words_add(&words, "sallyport");
        words_add(&words, "-f");
        words_add(&words, path);
        rc = process_run(&words, &status);
        words_fini(&words);
    }
    (void)snprintf(public, sizeof public, "%s.pub", path);
    if (!rc)
        rc = os_read_file(public, ASK_HOST_KEY_SIZE * 4, line);
    if (rc || status)
        why_set(why,
                identity ? "there is no %s: give the private key whose public half stands beside it"
                         : "ssh-keygen could not make %s: is OpenSSH installed?",
                public);
    return rc ? rc : status ? SP_ENOENT : 0;
}

/* ssh to join@RELAY, which lets any key in, and with the relay's host key checked by ourselves. */
static void join_words(const struct cli *cli, const struct join_url *url, const char *key, struct words *words) {
    struct words command;
    struct buf line, safe;
    words_init(&command);
    buf_init(&line);
    buf_init(&safe);
    cli_self(cli, &command, "known-hosts");
    words_add(&command, "--relay");
    words_add(&command, url->fingerprint);
    words_add(words, "ssh");
    words_add(words, "-F");
    words_add(words, "none");
    words_add(words, "-T");
    words_add(words, "-p");
    words_addf(words, "%u", (unsigned)url->port);
    words_file(words, "-oIdentityFile=", key);
    static const char *const options[] = {
        "-oIdentitiesOnly=yes",
        "-oUserKnownHostsFile=none",
        "-oGlobalKnownHostsFile=none",
        "-oStrictHostKeyChecking=yes",
        "-oHostKeyAlias=relay",
        "-oCheckHostIP=no",
        "-oUpdateHostKeys=no",
        "-oPreferredAuthentications=publickey",
        "-oLogLevel=ERROR",
        "-oConnectTimeout=15",
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        words_add(words, options[i]);
    words->rc = words->rc ? words->rc : words_line(&command, &line);
    if (!words->rc)
        words->rc = words_percent(&safe, buf_string(&line));
    if (!words->rc)
        words_addf(words, "-oKnownHostsCommand=%s %%f %%H %%t %%K", buf_string(&safe));
    words_addf(words, "join@%s", url->host);
    words_add(words, "join");
    words_fini(&command);
    buf_fini(&line);
    buf_fini(&safe);
}

/* What the relay said: our name there. */
static int read_answer(const struct buf *said, struct client *client, struct why *why) {
    json_t *object = NULL;
    char kind[16] = "", error[300];
    int rc = jsonline_read((const char *)buf_head(said), buf_len(said), 4, &object, NULL);
    if (rc) {
        why_set(why, "the relay gave no sensible answer: is it a Sallyport relay?");
        return SP_EFORMAT;
    }
    if (jsonline_text(object, "error", error, sizeof error)) {
        why_set(why, "the relay refused: %s", error);
        rc = SP_EDENIED;
    } else if (jsonline_text(object, "joined", kind, sizeof kind) && strcmp(kind, "user") != 0) {
        why_set(why,
                "that invite was for a machine, and is used up now: machines join by `sallyport-agent join`. Ask for "
                "an invite for a person (invite user NAME), and for another one for the machine");
        rc = SP_EINVAL;
    } else if (!jsonline_text(object, "name", client->user, sizeof client->user) || name_check(client->user, NULL)) {
        why_set(why, "the relay gave no sensible answer");
        rc = SP_EFORMAT;
    }
    json_decref(object);
    return rc;
}

static int join_talk(const struct cli *cli, const struct join_url *url, const char *key, struct client *client,
                     struct why *why) {
    struct words words;
    struct buf out, err;
    char token[SECRET_TOKEN_LEN + sizeof " user\n"];
    int status = 0;
    words_init(&words);
    buf_init(&out);
    buf_init(&err);
    join_words(cli, url, key, &words);
    /* By standard input: the words of a command can be read by everybody on this machine. */
    (void)snprintf(token, sizeof token, "%s user\n", url->token);
    struct process_talk talk = {
        .input = token, .n = strlen(token), .out = &out, .err = &err, .max = TALK_MAX, .deadline_ms = TALK_MS};
    int rc = process_talk(&words, &talk, &status);
    const char *said = rc ? NULL : buf_string(&err);
    if (!rc && buf_len(&out))
        rc = read_answer(&out, client, why);
    else if (!rc && said && strstr(said, "Host key verification failed")) {
        why_set(why,
                "the relay at %s port %u shows another host key than the invite says: is the invite an old one? If "
                "not, somebody stands in between",
                url->host, (unsigned)url->port);
        rc = SP_EDENIED;
    } else if (!rc) {
        why_set(why, "cannot join at %s port %u: %s", url->host, (unsigned)url->port,
                said && said[0] ? said : "ssh says nothing");
        why->text[strcspn(why->text, "\r\n")] = '\0';
        rc = SP_ECLOSED;
    }
    secret_wipe(token, sizeof token);
    words_fini(&words);
    buf_fini(&out);
    buf_fini(&err);
    return rc;
}

static int join_url(struct cli *cli, const struct join_url *url, const char *identity, struct why *why) {
    char key[CLI_PATH_SIZE];
    struct buf line;
    struct client client = {.port = url->port};
    buf_init(&line);
    int rc = os_state_dir(cli->state, why);
    if (!rc)
        rc = check_ssh(why);
    if (!rc && client_load(cli->state, &client, NULL) == 0) {
        why_set(why, "you are %s on %s port %u already: sallyport leave, then join again (or another --state DIR)",
                client.user, client.host, (unsigned)client.port);
        rc = SP_EEXIST;
    }
    if (!rc)
        rc = prepare_key(cli, identity, key, &line, why);
    const char *text = rc ? NULL : buf_string(&line);
    if (!rc && (!text || client_key_id(text, client.key, NULL) ||
                (identity && str_copy(client.identity, sizeof client.identity, key)))) {
        why_set(why, "%s.pub is no public key", key);
        rc = SP_EFORMAT;
    }
    (void)str_copy(client.host, sizeof client.host, url->host);
    (void)str_copy(client.fingerprint, sizeof client.fingerprint, url->fingerprint);
    if (!rc)
        rc = join_talk(cli, url, key, &client, why);
    if (!rc)
        rc = client_save(cli->state, &client, why);
    if (!rc)
        (void)printf("You are %s on %s port %u now. Next:\n  sallyport ls            your machines\n"
                     "  sallyport ssh BOX       a shell on one of them\n"
                     "  sallyport ssh-config    once: then plain `ssh BOX`, scp, rsync, git and editors work, too\n",
                     client.user, client.host, (unsigned)client.port);
    buf_fini(&line);
    return rc;
}

int cli_join(struct cli *cli, int argc, char **argv) {
    struct join_url url;
    struct why why = {""};
    const char *identity = NULL;
    if (argc > 1 && strcmp(argv[0], "--identity") == 0) {
        identity = argv[1];
        argc -= 2;
        argv += 2;
    }
    if (argc != 1)
        return cli_usage(
            "join",
            "join wants the URL of the invite: join 'sallyport://...', or join - and the URL on standard input");
    int rc = join_url_take(argv[0], STDIN_FILENO, &url, &why);
    if (!rc)
        rc = join_url(cli, &url, identity, &why);
    secret_wipe(&url, sizeof url);
    return rc ? cli_fail(&why, rc) : CLI_DONE;
}

int cli_leave(struct cli *cli, int argc, char **argv) {
    struct why why = {""};
    (void)argv;
    if (argc > 0)
        return cli_usage("leave", "leave takes no arguments");
    int rc = client_load(cli->state, &cli->client, &why);
    if (rc && rc != SP_EFORMAT)
        return cli_fail(&why, rc);
    bool known = rc == 0;
    char print[51];
    (void)snprintf(print, sizeof print, "SHA256:%s", cli->client.key);
    for (char *at = print; *at; at++)
        *at = (char)(*at == '-' ? '+' : *at == '_' ? '/' : *at);
    if (known && cli->client.ssh_config[0]) {
        char dir[sizeof cli->client.ssh_config];
        size_t len = (size_t)(strrchr(cli->client.ssh_config, '/') - cli->client.ssh_config);
        (void)snprintf(dir, sizeof dir, "%.*s", (int)len, cli->client.ssh_config);
        if (ssh_config_remove(cli, dir, &why))
            cli_say("%s", why.text);
    }
    rc = client_remove(cli->state, &why);
    if (rc)
        return cli_fail(&why, rc);
    (void)printf("The relay and the key are forgotten here.\n");
    if (known)
        (void)printf("On the relay the key counts until it is removed there: key remove %s\n", print);
    return CLI_DONE;
}
