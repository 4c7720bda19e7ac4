/* open, login: the relay's pages in the browser here, logged in by a one-time link that the relay makes for our key. */
#include <stdio.h>
#include <string.h>

#include "box_services.h"
#include "browser.h"
#include "handover.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"

enum { LINK_SIZE = 512, URL_SIZE = LINK_SIZE + 2 * SP_NAME_SIZE + 32, BROWSER_S = 60 };

/* "https://HOST[:PORT]/login/CODE" and nothing else: a browser is led there. */
static int check_link(const char *link) {
    static const char scheme[] = "https://", path[] = "/login/";
    if (!str_starts(link, scheme))
        return SP_EFORMAT;
    const char *host = link + sizeof scheme - 1;
    size_t len = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]");
    return len > 0 && str_starts(host + len, path) && secret_is_token(host + len + sizeof path - 1) ? 0 : SP_EFORMAT;
}

/* The link that the relay's verb `login` prints. A relay whose name is localhost serves this computer without TLS, since
 * nobody certifies that name. */
static int get_link(const struct cli *cli, char to[static LINK_SIZE], struct why *why) {
    static const char *const verb[] = {"login"};
    struct buf text;
    buf_init(&text);
    int rc = relay_verb(cli, verb, 1, &text, why);
    const char *said = rc ? NULL : buf_string(&text);
    if (!rc && !said)
        rc = SP_ENOMEM;
    size_t len = said ? strcspn(said, "\r\n") : 0;
    if (!rc && (len >= LINK_SIZE || said[len] == '\0'))
        rc = SP_EFORMAT;
    if (!rc) {
        memcpy(to, said, len);
        to[len] = '\0';
        rc = check_link(to);
    }
    if (rc == SP_EFORMAT)
        why_set(why, "the relay gave no login link: one of the two is older than the other, or it has no page");
    if (!rc && str_starts(to, "https://localhost:"))
        memmove(to + 4, to + 5, strlen(to + 5) + 1);
    buf_wipe(&text);
    return rc;
}

/* Leads the browser there by way of our own page; where there is none, the link is printed. */
static int lead(struct cli *cli, const char *url, bool print) {
    struct why why = {""};
    struct handover handover;
    char here[HANDOVER_URL_SIZE];
    int rc = print ? 0 : handover_init(&handover, &why);
    if (rc)
        return cli_fail(&why, rc);
    if (!print) {
        handover_url(&handover, here);
        rc = browser_open(here, &why);
        if (!rc) {
            cli_debug(cli, "waiting for the browser at 127.0.0.1:%u", (unsigned)handover.port);
            rc = handover_serve(&handover, url, "", BROWSER_S);
            if (rc)
                why_set(&why, "no browser came");
        }
        secret_wipe(here, sizeof here);
        handover_fini(&handover);
        if (!rc)
            return CLI_DONE;
        cli_say("%s: open this address yourself; it works once, for 10 minutes", why.text);
    }
    return printf("%s\n", url) < 0 || fflush(stdout) != 0 ? CLI_FAILED : CLI_DONE;
}

int cli_login(struct cli *cli, int argc, char **argv) {
    struct why why = {""};
    char link[LINK_SIZE];
    bool print = cli_take_flag(&argc, argv, "--no-browser");
    if (argc > 0)
        return cli_usage("login", "login takes nothing but --no-browser");
    int rc = get_link(cli, link, &why);
    int status = rc ? cli_fail(&why, rc) : lead(cli, link, print);
    secret_wipe(link, sizeof link);
    return status;
}

int cli_open(struct cli *cli, int argc, char **argv) {
    struct why why = {""};
    struct box_services services;
    struct box_service service;
    char box[SP_NAME_SIZE], name[SP_NAME_SIZE], link[LINK_SIZE], url[URL_SIZE];
    bool print = cli_take_flag(&argc, argv, "--no-browser");
    if (argc != 1)
        return cli_usage("open", "open takes BOX or BOX/SERVICE");
    if (cli_target(argv[0], "", box, name, &why))
        return cli_usage("open", why.text);
    int rc = box_services_pick(cli, box, name, &services, &service, &why);
    if (!rc && service.kind != SERVICE_HTTP) {
        why_set(&why, "%s/%s is no page: sallyport forward %s/%s leads a local port to it", box, service.name, box,
                service.name);
        rc = SP_EINVAL;
    }
    if (!rc)
        rc = get_link(cli, link, &why);
    if (rc)
        return cli_fail(&why, rc);
    (void)snprintf(url, sizeof url, "%s?to=/open/%s/%s", link, box, service.name);
    int status = lead(cli, url, print);
    secret_wipe(link, sizeof link);
    secret_wipe(url, sizeof url);
    return status;
}
