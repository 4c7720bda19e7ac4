/* `sallyport ssh-config`: makes a plain ssh go the best route. */
#include "ssh_config.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box_ssh.h"
#include "hostkeys.h"
#include "listing.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

enum { CONFIG_MAX = 4 << 20 };

static const char own_name[] = "sallyport_config";

static int add_host(const struct cli *cli, const char *box, struct buf *out) {
    struct hostkeys keys;
    struct words options;
    words_init(&options);
    box_options(cli, box, hostkeys_find(cli->state, box, &keys) == 0, &options);
    int rc = options.rc;
    if (!rc)
        rc = buf_printf(out, "\nHost %s\n", box);
    for (size_t i = 0; i < options.count && !rc; i++) {
        const char *item = options.items[i];
        size_t key = strcspn(item, "=");
        rc = buf_printf(out, "    %.*s %s\n", (int)key, item, item + key + 1);
    }
    words_fini(&options);
    return rc;
}

int ssh_config_text(const struct cli *cli, const struct json_t *machines, const struct buf *own, struct buf *out) {
    int rc =
        buf_printf(out, "# Written by `sallyport ssh-config`, and anew by each `sallyport ls`: changes get lost.\n");
    for (size_t i = 0; i < json_array_size(machines) && !rc; i++) {
        const json_t *machine = json_array_get(machines, i);
        const char *name = json_string_value(json_object_get(machine, "name"));
        if (!name || name_check(name, NULL) || !listing_has_ssh(machine))
            continue;
        if (buf_len(own) && ssh_config_names((const char *)buf_head(own), buf_len(own), name))
            rc = buf_printf(out, "\n# %s is left out: your own configuration has a Host of that name.\n", name);
        else
            rc = add_host(cli, name, out);
    }
    return rc;
}

/* Written only when it differs: editors watch this folder. */
static int write_own(const char *path, struct buf *text, struct why *why) {
    struct buf old;
    buf_init(&old);
    int rc = os_read_file(path, CONFIG_MAX, &old);
    bool same = rc == 0 && buf_len(&old) == buf_len(text) &&
                (buf_len(text) == 0 || memcmp(buf_head(&old), buf_head(text), buf_len(text)) == 0);
    buf_fini(&old);
    if (same)
        return 0;
    rc = os_write_file(path, buf_head(text), buf_len(text), 0600);
    if (rc)
        why_set(why, "cannot write %s: %s", path, err_text(rc));
    return rc;
}

/* What the user has written himself, beside our file; nothing when there is none. */
static void read_users(const char *own, struct buf *out) {
    char path[CLI_PATH_SIZE];
    const char *slash = strrchr(own, '/');
    if (slash && snprintf(path, sizeof path, "%.*s/config", (int)(slash - own), own) < (int)sizeof path)
        (void)os_read_file(path, CONFIG_MAX, out);
}

int ssh_config_refresh(const struct cli *cli, const struct json_t *machines, struct why *why) {
    struct buf text, own;
    if (!cli->client.ssh_config[0])
        return 0;
    buf_init(&text);
    buf_init(&own);
    read_users(cli->client.ssh_config, &own);
    int rc = ssh_config_text(cli, machines, &own, &text);
    if (!rc)
        rc = write_own(cli->client.ssh_config, &text, why);
    buf_fini(&text);
    buf_fini(&own);
    return rc;
}

/* The files: ours, the user's (behind a link, if it is one), and how his names ours. */
struct places {
    char own[CLI_PATH_SIZE];
    char user[PATH_MAX];
    char include[CLI_PATH_SIZE];
    mode_t mode;
};

/* The folder, made if need be, and whether ssh itself looks there: it goes by the account's home, whatever $HOME says. */
static int find_folder(const char *dir, char folder[static PATH_MAX], bool *usual, struct why *why) {
    char path[CLI_PATH_SIZE];
    const struct passwd *account = getpwuid(geteuid());
    const char *home = getenv("HOME");
    if (!home || home[0] != '/')
        home = account ? account->pw_dir : "/";
    int rc = dir ? str_copy(path, sizeof path, dir) : os_path(path, sizeof path, home, ".ssh");
    if (!rc && ((mkdir(path, 0700) && errno != EEXIST) || !realpath(path, folder)))
        rc = SP_ESYS;
    if (rc)
        why_set(why, "cannot use the folder %s: %s", dir ? dir : "~/.ssh", err_text(rc));
    *usual = !dir && account && strcmp(home, account->pw_dir) == 0;
    return rc;
}

static int find_places(const char *dir, struct places *out, struct why *why) {
    char folder[PATH_MAX], user[CLI_PATH_SIZE];
    struct stat st;
    bool usual;
    int rc = find_folder(dir, folder, &usual, why);
    if (!rc)
        rc = os_path(out->own, sizeof out->own, folder, own_name);
    if (!rc)
        rc = os_path(user, sizeof user, folder, "config");
    if (rc)
        return rc;
    out->mode = stat(user, &st) == 0 ? st.st_mode & 07777 : 0600;
    if (!realpath(user, out->user))
        (void)snprintf(out->user, sizeof out->user, "%s", user);
    /* A name without a folder is looked for in the usual one. */
    int n = usual ? snprintf(out->include, sizeof out->include, "%s", own_name)
                  : snprintf(out->include, sizeof out->include, strchr(out->own, ' ') ? "\"%s\"" : "%s", out->own);
    return n > 0 && (size_t)n < sizeof out->include ? 0 : SP_ETOOBIG;
}

/* With our line, or without it, named as `include`. */
static int edit_user(const struct places *places, const char *include, bool with, bool *changed, struct why *why) {
    struct buf old, text;
    buf_init(&old);
    buf_init(&text);
    int rc = os_read_file(places->user, CONFIG_MAX, &old);
    if (rc == SP_ESYS && errno == ENOENT)
        rc = 0;
    const char *bytes = buf_len(&old) ? (const char *)buf_head(&old) : "";
    *changed = false;
    if (!rc)
        *changed = (with ? ssh_config_with : ssh_config_without)(bytes, buf_len(&old), include, &text);
    if (*changed && !with && buf_len(&text) == 0)
        rc = unlink(places->user) ? SP_ESYS : 0; /* there was none before us */
    else if (*changed)
        rc = os_write_file(places->user, buf_len(&text) ? (const char *)buf_head(&text) : "", buf_len(&text),
                           places->mode);
    if (rc)
        why_set(why, "cannot change %s: %s", places->user, err_text(rc));
    buf_fini(&old);
    buf_fini(&text);
    return rc;
}

int ssh_config_remove(struct cli *cli, const char *dir, struct why *why) {
    struct places places;
    bool changed;
    int rc = find_places(dir, &places, why);
    if (!rc)
        rc = edit_user(&places, own_name, false, &changed, why);
    if (!rc)
        rc = edit_user(&places, places.include, false, &changed, why);
    if (!rc && unlink(places.own) && errno != ENOENT)
        rc = SP_ESYS;
    if (!rc && cli->joined && cli->client.ssh_config[0]) {
        cli->client.ssh_config[0] = '\0';
        rc = client_save(cli->state, &cli->client, why);
    }
    return rc;
}

static int config_write(struct cli *cli, const struct places *places, struct buf *text, struct why *why) {
    bool changed;
    int rc = write_own(places->own, text, why);
    if (!rc)
        rc = edit_user(places, places->include, true, &changed, why);
    if (!rc && strcmp(cli->client.ssh_config, places->own) != 0) {
        rc = str_copy(cli->client.ssh_config, sizeof cli->client.ssh_config, places->own);
        if (!rc)
            rc = client_save(cli->state, &cli->client, why);
    }
    bool usual = strcmp(places->include, own_name) == 0;
    if (!rc)
        (void)printf("%s has your machines, and is included by %s. Now plain ssh goes the best route: ssh%s%s BOX\n",
                     places->own, places->user, usual ? "" : " -F ", usual ? "" : places->user);
    return rc;
}

static int config_make(struct cli *cli, const char *dir, bool print, struct why *why) {
    json_t *machines = NULL;
    struct places places;
    struct buf text, own;
    buf_init(&text);
    buf_init(&own);
    int rc = listing_get(cli, &machines, why);
    if (!rc && !print)
        rc = find_places(dir, &places, why);
    if (!rc && !print)
        read_users(places.own, &own);
    if (!rc)
        rc = ssh_config_text(cli, machines, &own, &text);
    if (!rc)
        rc = print ? cli_print(&text) : config_write(cli, &places, &text, why);
    json_decref(machines);
    buf_fini(&text);
    buf_fini(&own);
    return rc;
}

int cli_ssh_config(struct cli *cli, int argc, char **argv) {
    struct why why = {""};
    bool print = cli_take_flag(&argc, argv, "--print");
    bool remove = cli_take_flag(&argc, argv, "--remove");
    const char *dir = NULL;
    if (argc == 2 && strcmp(argv[0], "--dir") == 0) {
        dir = argv[1];
        argc = 0;
    }
    if (argc > 0 || (print && remove))
        return cli_usage("ssh-config", "ssh-config takes --print, --remove, or --dir FOLDER instead of ~/.ssh");
    int rc = cli_load(cli, &why);
    if (remove)
        rc = ssh_config_remove(cli, dir, &why);
    else if (!rc)
        rc = config_make(cli, dir, print, &why);
    if (rc)
        return cli_fail(&why, rc);
    if (remove)
        (void)printf("ssh is as it was before: no machine of yours is in its configuration\n");
    return CLI_DONE;
}
