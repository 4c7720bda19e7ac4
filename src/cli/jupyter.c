/* jupyter: a machine's Jupyter in the browser here, logged in. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "browser.h"
#include "handover.h"
#include "jupyter_login.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "tunnel.h"

/* How long the address that logs in is good for; printed ones have to be carried to a browser first. */
enum { OPEN_S = 120, PRINTED_S = 600, URL_SIZE = 256 };

struct visit {
    bool print; /* no browser is to be opened */
    struct jupyter_list *list;
};

/* Whether one of the tokens opened it; its cookies are in `fields`, its first page in `url`. */
static bool log_in(const struct tunnel *tunnel, const struct jupyter_list *list, struct buf *fields,
                   char url[static URL_SIZE]) {
    for (size_t i = 0; i < list->count; i++) {
        const struct jupyter_found *found = &list->items[i];
        int rc = found->secure ? SP_EINVAL : jupyter_login(found, tunnel->local, fields);
        cli_debug(tunnel->cli, "the token of Jupyter %zu: %s", i + 1, found->secure ? "it speaks TLS" : err_text(rc));
        (void)snprintf(url, URL_SIZE, "http%s://127.0.0.1:%u%s", found->secure ? "s" : "", (unsigned)tunnel->local,
                       found->base_url);
        if (!rc)
            return true;
        buf_wipe(fields);
    }
    return false;
}

/* The address goes to the browser, or to standard output for the person to open it. */
static void show(const struct visit *visit, const char *url) {
    struct why why = {""};
    if (!visit->print && browser_open(url, &why) == 0)
        return;
    if (!visit->print)
        cli_say("%s: open this address yourself", why.text);
    (void)printf("%s\n", url);
    (void)fflush(stdout);
}

/* In a process of its own, which ends when the browser has come. */
static void hand_over(struct tunnel *tunnel, const struct visit *visit, const char *url, struct buf *fields) {
    struct why why = {""};
    struct handover handover;
    char here[HANDOVER_URL_SIZE];
    const char *cookies = buf_len(fields) ? buf_string(fields) : "";
    int rc = cookies ? handover_init(&handover, &why) : SP_ENOMEM;
    if (rc) {
        (void)cli_fail(&why, rc);
        return;
    }
    pid_t pid = watch_fork(&tunnel->watch, false);
    if (pid == 0) {
        rc = handover_serve(&handover, url, cookies, visit->print ? PRINTED_S : OPEN_S);
        if (rc)
            cli_say("no browser came to be logged in: %s", url);
        _exit(0);
    }
    handover_url(&handover, here);
    if (pid > 0)
        show(visit, here);
    else
        (void)cli_fail(&why, (int)pid);
    secret_wipe(here, sizeof here);
    handover_fini(&handover);
}

static void open_page(void *ctx, struct tunnel *tunnel) {
    const struct visit *visit = ctx;
    const char *box = tunnel->box, *service = tunnel->service.name;
    struct buf fields;
    char url[URL_SIZE];
    buf_init(&fields);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", (unsigned)tunnel->local, tunnel->service.path);
    bool known = log_in(tunnel, visit->list, &fields, url);
    cli_say("127.0.0.1:%u leads to %s/%s%s; Ctrl-C ends it", (unsigned)tunnel->local, box, service,
            tunnel->by_sshd ? "" : " through the relay");
    if (known) {
        hand_over(tunnel, visit, url, &fields);
    } else {
        cli_say("its token could not be had (it may be another user's, or run in a container): this is its own login. "
                "sallyport open %s/%s goes through the relay, logged in",
                box, service);
        show(visit, url);
    }
    buf_wipe(&fields);
    secret_wipe(visit->list, sizeof *visit->list);
}

int cli_jupyter(struct cli *cli, int argc, char **argv) {
    struct why why = {""};
    struct box_services services;
    struct jupyter_list list = {.count = 0};
    struct visit visit = {.list = &list, .print = cli_take_flag(&argc, argv, "--no-browser")};
    char box[SP_NAME_SIZE], name[SP_NAME_SIZE];
    struct tunnel tunnel = {.cli = cli, .box = box};
    uint64_t wanted = 0;
    if (argc < 1 || argc > 2)
        return cli_usage("jupyter", "jupyter takes BOX or BOX/SERVICE, and a local port if it matters which");
    if (cli_target(argv[0], "", box, name, &why))
        return cli_usage("jupyter", why.text);
    if (argc == 2 && str_u64(argv[1], 1, UINT16_MAX, &wanted))
        return cli_usage("jupyter", "a local port is a number from 1 to 65535");
    int rc = box_services_pick(cli, box, name, &services, &tunnel.service, &why);
    if (!rc && tunnel.service.kind != SERVICE_HTTP) {
        why_set(&why, "%s/%s is no page: sallyport forward %s/%s", box, tunnel.service.name, box, tunnel.service.name);
        rc = SP_EINVAL;
    }
    if (!rc)
        rc = tunnel_choose_port((uint16_t)wanted, tunnel.service.port, &tunnel.local, &why);
    if (rc)
        return cli_fail(&why, rc);
    tunnel.try_sshd = box_services_have_ssh(&services);
    if (tunnel.try_sshd && jupyter_list_get(cli, box, tunnel.service.port, &list, &why)) {
        cli_say("%s: going through the relay instead", why.text);
        tunnel.try_sshd = false;
    }
    int status = tunnel_run(&tunnel, open_page, &visit);
    secret_wipe(&list, sizeof list);
    return status;
}
