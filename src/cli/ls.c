/* `sallyport ls` and `sallyport status`: the machines, as the relay knows them and as they were reached from here. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli_local.h"
#include "listing.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/domain/status.h"
#include "sallyport/domain/table.h"
#include "ssh_config.h"

static const char *text_of(const json_t *object, const char *member) {
    const char *text = json_string_value(json_object_get(object, member));
    return text && str_is_clean(text, strlen(text)) ? text : "";
}

static int services_text(const json_t *machine, struct buf *to) {
    const json_t *services = json_object_get(machine, "services");
    int rc = 0;
    for (size_t i = 0; i < json_array_size(services) && !rc; i++) {
        const json_t *service = json_array_get(services, i);
        const char *state = text_of(service, "state");
        bool up = strcmp(state, "up") == 0;
        rc = buf_printf(to, "%s%s%s%s%s", i ? " " : "", text_of(service, "name"), up ? "" : "(", up ? "" : state,
                        up ? "" : ")");
    }
    return rc;
}

/* How busy each GPU is: "97% 3%"; its state when that is not known. */
static int gpus_text(const json_t *machine, struct buf *to) {
    const json_t *gpus = json_object_get(json_object_get(machine, "status"), "gpus");
    int rc = 0;
    for (size_t i = 0; i < json_array_size(gpus) && i < STATUS_GPUS_MAX && !rc; i++) {
        const json_t *gpu = json_array_get(gpus, i), *used = json_object_get(gpu, "used_share");
        if (i > 0)
            rc = buf_printf(to, " ");
        if (!rc && json_is_number(used))
            rc = buf_printf(to, "%.0f%%", json_number_value(used) * 100);
        else if (!rc)
            rc = buf_printf(to, "%s", text_of(gpu, "state"));
    }
    return rc;
}

static const char *state_of(const json_t *machine) {
    if (json_is_true(json_object_get(machine, "online")))
        return "online";
    return json_is_true(json_object_get(machine, "asleep")) ? "asleep" : "offline";
}

static int ls_row(const struct cli *cli, const json_t *machine, struct table *table) {
    char since[32] = "never", here[96];
    struct buf services, gpus;
    int64_t then, now = os_realtime_s();
    const char *name = text_of(machine, "name");
    if (jsonline_time(machine, "since", &then))
        str_ago(since, sizeof since, now > then ? (uint64_t)(now - then) : 0);
    listing_last_way(cli, name, here, sizeof here);
    buf_init(&services);
    buf_init(&gpus);
    int rc = services_text(machine, &services);
    if (!rc)
        rc = gpus_text(machine, &gpus);
    const char *cell = rc ? NULL : buf_string(&services), *gpus_cell = rc ? NULL : buf_string(&gpus);
    if (cell && gpus_cell)
        table_row(table,
                  (const char *[]){name, state_of(machine), since, text_of(machine, "route"), here, gpus_cell, cell});
    rc = cell && gpus_cell ? 0 : SP_ENOMEM;
    buf_fini(&gpus);
    buf_fini(&services);
    return rc;
}

static int ls_table(const struct cli *cli, const json_t *machines, struct buf *out) {
    static const char *const headings[] = {"NAME", "STATE", "SINCE", "ROUTE", "LAST FROM HERE", "GPU", "SERVICES"};
    struct table table;
    int rc = 0;
    if (json_array_size(machines) == 0)
        return buf_printf(out,
                          "No machine yet that you may see. An admin adds one: invite machine NAME, or grants one: "
                          "grant %s BOX\n",
                          cli->client.user);
    table_init(&table, sizeof headings / sizeof headings[0], headings);
    for (size_t i = 0; i < json_array_size(machines) && !rc; i++) {
        if (name_check(text_of(json_array_get(machines, i), "name"), NULL) == 0)
            rc = ls_row(cli, json_array_get(machines, i), &table);
    }
    if (!rc)
        rc = table_print(&table, 0, out);
    table_fini(&table);
    return rc;
}

static int print_json(json_t *value) {
    struct buf out;
    buf_init(&out);
    int rc = jsonline_append(&out, value, SIZE_MAX);
    if (!rc)
        rc = cli_print(&out);
    buf_fini(&out);
    return rc;
}

static int ls_run(struct cli *cli, struct why *why) {
    json_t *machines = NULL;
    struct buf out;
    struct why note = {""};
    int rc = listing_get(cli, &machines, why);
    if (rc)
        return rc;
    buf_init(&out);
    if (ssh_config_refresh(cli, machines, &note))
        cli_say("%s", note.text);
    for (size_t i = 0; cli->json && i < json_array_size(machines) && !rc; i++)
        rc = listing_add_last(cli, json_array_get(machines, i));
    if (!rc && cli->json) {
        rc = print_json(machines);
    } else {
        if (!rc)
            rc = ls_table(cli, machines, &out);
        if (!rc)
            rc = cli_print(&out);
        json_decref(machines);
    }
    buf_fini(&out);
    return rc;
}

int cli_ls(struct cli *cli, int argc, char **argv) {
    struct why why = {""};
    bool only_free = cli_take_flag(&argc, argv, "--free");
    cli->json = cli_take_flag(&argc, argv, "--json") || cli->json;
    if (argc > 0)
        return cli_usage("ls", "ls takes --free and --json only; `sallyport status BOX` tells of one machine");
    if (only_free) { /* which GPUs are free is a list of the relay's own */
        char list[] = "list", option[] = "--free";
        return cli_relay_verb(cli, 2, (char *[]){list, option});
    }
    int rc = ls_run(cli, &why);
    return rc ? cli_fail(&why, rc) : CLI_DONE;
}

static int status_json(const struct cli *cli, struct buf *text, struct why *why) {
    json_t *machine = buf_len(text) ? json_loadb((const char *)buf_head(text), buf_len(text), 0, NULL) : NULL;
    if (!json_is_object(machine)) {
        json_decref(machine);
        why_set(why, "the relay's answer makes no sense");
        return SP_EFORMAT;
    }
    int rc = listing_add_last(cli, machine);
    if (!rc)
        return print_json(machine);
    json_decref(machine);
    return rc;
}

/* The relay's text for a terminal: a line that is not clean loses what could steer it. */
static void clean_lines(struct buf *text) {
    for (size_t at = 0; at < text->len;) {
        char *line = (char *)text->data + text->start + at;
        const char *end = memchr(line, '\n', text->len - at);
        size_t len = end ? (size_t)(end - line) : text->len - at;
        bool clean = str_is_clean(line, len);
        for (size_t i = 0; !clean && i < len; i++) {
            if (line[i] < ' ' || line[i] > '~')
                line[i] = '?';
        }
        at += len + 1;
    }
}

static int status_box(const struct cli *cli, const char *box, struct why *why) {
    const char *const verb[] = {"status", box, "--json"};
    struct buf text;
    char last[96];
    buf_init(&text);
    int rc = relay_verb(cli, verb, cli->json ? 3 : 2, &text, why);
    if (!rc && cli->json) {
        rc = status_json(cli, &text, why);
    } else if (!rc) {
        clean_lines(&text);
        rc = cli_print(&text);
        listing_last_way(cli, box, last, sizeof last);
        (void)printf("\nlast from here: %s\n", last[0] ? last : "not yet on this network");
    }
    buf_fini(&text);
    return rc;
}

int cli_status(struct cli *cli, int argc, char **argv) {
    struct why why = {""};
    cli->json = cli_take_flag(&argc, argv, "--json") || cli->json;
    if (argc > 1)
        return cli_usage("status", "status takes the name of one machine, or nothing");
    if (argc == 0 && !cli->json)
        (void)printf("%s on %s port %u\n\n", cli->client.user, cli->client.host, (unsigned)cli->client.port);
    char box[SP_NAME_SIZE], service[SP_NAME_SIZE];
    if (argc == 1 && (cli_target(argv[0], "", box, service, &why) || service[0]))
        return cli_usage("status", why.text[0] ? why.text : "status wants the name of a machine, without a service");
    int rc = argc == 1 ? status_box(cli, box, &why) : ls_run(cli, &why);
    return rc ? cli_fail(&why, rc) : CLI_DONE;
}
