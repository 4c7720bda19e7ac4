#include <jansson.h>

#include "direct_local.h"
#include "reach_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"

static const char *const direct_names[] = {"door", "sshd", "off"};

static void candidate_to_text(const struct candidate *candidate, struct buf *out) {
    int64_t now = os_realtime_s();
    char ago[32] = "";
    if (candidate->checked)
        str_ago(ago, sizeof ago, now > candidate->checked ? (uint64_t)(now - candidate->checked) : 0);
    (void)buf_printf(out, "  %-8s %s port %u%s%s%s  ", candidate_kind_name(candidate->kind), candidate->address,
                     candidate->port, candidate->to_sshd ? " (sshd)" : "", candidate->by[0] ? " by " : "",
                     candidate->by);
    if (candidate->kind == CANDIDATE_LAN)
        (void)buf_printf(out, "for this network\n");
    else if (candidate->state == CANDIDATE_UNCHECKED)
        (void)buf_printf(out, "not verified by the relay yet\n");
    else
        (void)buf_printf(out, "%s by the relay %s ago%s%s\n",
                         candidate->state == CANDIDATE_VERIFIED ? "verified" : "not reached", ago,
                         candidate->text[0] ? ": " : "", candidate->text);
}

static void router_to_text(const struct reach_view *view, struct buf *out) {
    char until[21];
    if (!view->mapping)
        return;
    (void)buf_printf(out, "  router   %s%s%s%s by %s", view->mapping->gateway, view->router[0] ? " (" : "",
                     view->router, view->router[0] ? ")" : "", reach_protocol_name(view->mapping->protocol));
    if (view->lease_until)
        str_time(until, view->lease_until);
    (void)buf_printf(out, "%s%s\n", view->lease_until ? ", lease until " : ", without an end",
                     view->lease_until ? until : "");
}

void direct_to_text(const struct direct *direct, struct buf *out) {
    struct reach_view view;
    char clock[200];
    reach_look(direct->reach, &view);
    if (direct_clock_text(direct, clock, sizeof clock))
        (void)buf_printf(out, "Clock: %s\n", clock);
    (void)buf_printf(out, "Ways in without the tunnel:%s\n", view.count ? "" : " none");
    for (size_t i = 0; i < view.count; i++)
        candidate_to_text(&view.list[i], out);
    router_to_text(&view, out);
    if (view.trouble[0])
        (void)buf_printf(out, "  trouble  %s\n", view.trouble);
    if (visits_count(direct->visits))
        (void)buf_printf(out, "  streams  %zu\n", visits_count(direct->visits));
}

static json_t *router_to_json(const struct reach_view *view) {
    json_t *object =
        json_pack("{s:s,s:s,s:s,s:s,s:i,s:b}", "name", view->router, "address", view->mapping->gateway, "protocol",
                  reach_protocol_name(view->mapping->protocol), "external_address", view->mapping->external_address,
                  "external_port", (int)view->mapping->external_port, "permanent", (int)(view->lease_until == 0));
    if (object)
        (void)jsonline_set_time(object, "lease_until", view->lease_until);
    return object;
}

json_t *direct_to_json(const struct direct *direct) {
    struct reach_view view;
    reach_look(direct->reach, &view);
    json_t *object = json_pack("{s:s,s:[],s:i}", "mode", direct_names[direct->config.agent->direct], "candidates",
                               "stream_count", (int)visits_count(direct->visits));
    json_t *list = json_object_get(object, "candidates");
    for (size_t i = 0; i < view.count; i++)
        (void)json_array_append_new(list, candidate_to_json(&view.list[i]));
    if (object && direct->door)
        (void)json_object_set_new(object, "door_port", json_integer(door_port(direct->door)));
    if (object && view.trouble[0])
        (void)json_object_set_new(object, "trouble", json_string(view.trouble));
    if (object && view.mapping)
        (void)json_object_set_new(object, "router", router_to_json(&view));
    if (object && direct->clock.known)
        (void)json_object_set_new(object, "clock_offset_s",
                                  json_integer(relay_clock_lead(&direct->clock, os_realtime_s(), os_boottime_ms())));
    return object;
}
