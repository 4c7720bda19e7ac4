#include <stdio.h>
#include <string.h>

#include "reach_local.h"
#include "sallyport/base/str.h"

enum { LAN_MAX = 4 };

struct draft {
    size_t count;
    struct candidate list[CANDIDATES_MAX];
};

const char *reach_protocol_name(enum portmap_protocol protocol) {
    static const char *const names[] = {"", "upnp", "nat-pmp", "pcp"};
    return names[protocol];
}

static void add(struct draft *draft, enum candidate_kind kind, const char *address, uint16_t port, bool to_sshd,
                const char *by) {
    if (draft->count == CANDIDATES_MAX || !port)
        return;
    struct candidate *made = &draft->list[draft->count];
    *made = (struct candidate){.kind = kind, .port = port, .to_sshd = to_sshd};
    (void)str_copy(made->by, sizeof made->by, by);
    if (str_copy(made->address, sizeof made->address, address) == 0)
        draft->count++;
}

static bool is_public(const char *address) {
    return address_scope(address) == ADDRESS_PUBLIC;
}

/* The router's address in the world; where the relay sees us when the router does not say. */
static const char *external_address(const struct reach *reach) {
    const struct portmap_memory *mapping = &reach->memory.portmap;
    return mapping->external_address[0] ? mapping->external_address : reach->observed;
}

static void add_mapped(const struct reach *reach, struct draft *draft) {
    const struct portmap_memory *mapping = &reach->memory.portmap;
    if (reach->mapped && mapping->external_port && is_public(external_address(reach)))
        add(draft, CANDIDATE_MAPPED, external_address(reach), mapping->external_port, reach->to_sshd,
            reach_protocol_name(mapping->protocol));
    else if (!reach->mapped && reach->config.external_port && reach->world_port && is_public(reach->observed) &&
             (!reach->config.mapping || reach->no_router))
        add(draft, CANDIDATE_MAPPED, reach->observed, reach->config.external_port, reach->to_sshd, "hand");
}

static void add_public(const struct reach *reach, struct draft *draft) {
    const struct portmap_memory *mapping = &reach->memory.portmap;
    const char *address6 = reach->net.address6;
    bool pinhole = reach->mapped && mapping->pinhole[0] && strcmp(mapping->pinhole, address6) == 0;
    if (is_public(address6))
        add(draft, CANDIDATE_IPV6, address6, reach->world_port, reach->to_sshd,
            pinhole ? reach_protocol_name(mapping->protocol) : "");
    if (is_public(reach->observed) && strcmp(reach->observed, address6) != 0 &&
        own_addresses_have(&reach->own, reach->observed))
        add(draft, CANDIDATE_OBSERVED, reach->observed, reach->world_port, reach->to_sshd, "");
}

static void add_lan(const struct reach *reach, struct draft *draft, uint16_t port, bool to_sshd) {
    size_t added = 0;
    for (size_t i = 0; i < reach->own.count && added < LAN_MAX; i++) {
        const struct own_address *own = &reach->own.list[i];
        bool v6 = strchr(own->text, ':') != NULL;
        enum address_scope scope = address_scope(own->text);
        /* Public ones are no business of the neighbours alone: they are candidates of other kinds. */
        if (!own->lan || scope == ADDRESS_PUBLIC || (v6 && scope != ADDRESS_PRIVATE))
            continue;
        add(draft, CANDIDATE_LAN, own->text, port, to_sshd, "");
        added++;
    }
}

static bool has_kind(const struct draft *draft, enum candidate_kind kind) {
    for (size_t i = 0; i < draft->count; i++)
        if (draft->list[i].kind == kind)
            return true;
    return false;
}

/* Why there is no mapped port, or what is doubtful about it; but for a router in front of the router. */
static const char *trouble_text(const struct reach *reach, const struct draft *draft) {
    bool routed = reach->net.gateway4[0] || reach->net.gateway6[0];
    if (!reach->world_port)
        return reach->aim_trouble;
    if (reach->mapped)
        return reach->map_trouble;
    if (has_kind(draft, CANDIDATE_MAPPED) || has_kind(draft, CANDIDATE_OBSERVED))
        return "";
    if (!reach->config.mapping)
        return "routers are not asked for a port (port_mapping = off)";
    return routed ? reach->map_trouble : "this machine has no router: there is no default route";
}

static void write_trouble(const struct reach *reach, const struct draft *draft, char to[static REACH_TROUBLE_SIZE]) {
    const char *external = external_address(reach);
    const char *text = trouble_text(reach, draft);
    if (reach->world_port && reach->mapped && !text[0] && external[0] && !has_kind(draft, CANDIDATE_MAPPED))
        (void)snprintf(
            to, REACH_TROUBLE_SIZE,
            "the router's own address %s is %s: there is another NAT in front of it, so nothing from outside "
            "arrives here",
            external, address_scope_words(address_scope(external)));
    else
        (void)snprintf(to, REACH_TROUBLE_SIZE, "%s", text);
}

static const struct candidate *find_same(const struct reach *reach, const struct candidate *candidate) {
    for (size_t i = 0; i < reach->count; i++)
        if (candidate_same(&reach->list[i], candidate))
            return &reach->list[i];
    return NULL;
}

bool reach_build(struct reach *reach) {
    struct draft draft = {0};
    char trouble[REACH_TROUBLE_SIZE];
    add_mapped(reach, &draft);
    add_public(reach, &draft);
    /* An sshd that is shown to the world may be shown to the neighbours; if it does not listen there, the door does. */
    if (reach->to_sshd)
        add_lan(reach, &draft, reach->world_port, true);
    add_lan(reach, &draft, reach->door_port, false);
    write_trouble(reach, &draft, trouble);
    bool same = draft.count == reach->count && strcmp(trouble, reach->trouble) == 0;
    for (size_t i = 0; i < draft.count; i++) {
        struct candidate *made = &draft.list[i];
        const struct candidate *before = find_same(reach, made);
        same = same && candidate_same(made, &reach->list[i]) && made->to_sshd == reach->list[i].to_sshd &&
               strcmp(made->by, reach->list[i].by) == 0;
        if (!before)
            continue;
        made->state = before->state;
        made->checked = before->checked;
        memcpy(made->text, before->text, sizeof made->text);
    }
    memcpy(reach->list, draft.list, sizeof reach->list);
    reach->count = draft.count;
    memcpy(reach->trouble, trouble, sizeof reach->trouble);
    return !same;
}
