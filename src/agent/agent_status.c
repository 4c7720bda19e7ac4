#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "agent_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/local.h"
#include "sallyport_version.h"

static const char *const phase_names[] = {"waiting", "connecting", "logging in", "connected"};
static const char *const phase_words[] = {"not connected, will try again:", "connecting to", "logging in to",
                                          "connected to"};

static json_t *services_json(const struct agent *agent) {
    const struct published *list;
    size_t count;
    json_t *array = json_array();
    services_list(agent->services, &list, &count);
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(array, json_pack("{s:s,s:s,s:i,s:s,s:s}", "name", list[i].service.name, "kind",
                                                     service_kind_name(list[i].service.kind), "port",
                                                     (int)list[i].service.port, "address", list[i].host, "state",
                                                     service_state_name(&list[i].service)));
    return array;
}

static void status_json(const struct agent *agent, struct buf *out) {
    char since[21];
    str_time(since, agent->since);
    json_t *object = json_pack("{s:s,s:s,s:i,s:s,s:s,s:s,s:o}", "name", agent->to.name, "relay", agent->to.host, "port",
                               (int)agent->to.port, "state", phase_names[agent->phase], "since", since, "version",
                               SALLYPORT_VERSION, "services", services_json(agent));
    if (object && agent->direct)
        (void)json_object_set_new(object, "direct", direct_to_json(agent->direct));
    json_t *status = condition_to_json(agent->condition);
    if (object && status)
        (void)json_object_set_new(object, "status", status);
    else
        json_decref(status);
    if (object && agent->last_error[0])
        (void)json_object_set_new(object, "last_error", json_string(agent->last_error));
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    (void)buf_printf(out, "%s\n", text ? text : "{}");
    free(text);
    json_decref(object);
}

static void status_text(const struct agent *agent, struct buf *out) {
    char ago[32];
    int64_t now = os_realtime_s();
    str_ago(ago, sizeof ago, now > agent->since ? (uint64_t)(now - agent->since) : 0);
    (void)buf_printf(out, "%s: %s %s port %u for %s\n", agent->to.name, phase_words[agent->phase], agent->to.host,
                     agent->to.port, ago);
    if (agent->last_error[0])
        (void)buf_printf(out, "Last trouble: %s\n", agent->last_error);
    const struct published *list;
    size_t count;
    services_list(agent->services, &list, &count);
    if (!count)
        (void)buf_printf(out, "No service found: neither an SSH server nor a Jupyter is running here.\n");
    for (size_t i = 0; i < count; i++)
        (void)buf_printf(out, "  %-20s %-5s port %-5u %-5s %s\n", list[i].service.name,
                         service_kind_name(list[i].service.kind), list[i].service.port,
                         service_state_name(&list[i].service), list[i].service.detail);
    if (agent->direct)
        direct_to_text(agent->direct, out);
    condition_to_text(agent->condition, out);
}

int agent_answer(void *ctx, char **words, size_t count, const char *input, size_t input_len, struct buf *out,
                 struct buf *err) {
    (void)input;
    (void)input_len;
    const struct agent *agent = ctx;
    if (count < 1 || strcmp(words[0], "status") != 0) {
        (void)buf_printf(err, "only `status` is answered here\n");
        return 2;
    }
    if (count > 1 && strcmp(words[1], "--json") == 0)
        status_json(agent, out);
    else
        status_text(agent, out);
    return 0;
}

int agent_ask_status(const struct agent_config *config, bool as_json, struct buf *out, struct why *why) {
    char state[4096], path[4200];
    char word[] = "status", json[] = "--json";
    char *words[] = {word, json};
    struct buf err;
    int status = 1;
    buf_init(&err);
    int rc = joined_state(config, state, sizeof state, why);
    if (rc == 0)
        rc = os_path(path, sizeof path, state, AGENT_SOCKET);
    if (rc == 0)
        rc = local_call(path, words, as_json ? 2 : 1, NULL, 0, out, &err, &status, why);
    buf_fini(&err);
    return rc;
}
