#include <string.h>

#include "portmap_igd.h"
#include "sallyport/base/str.h"

enum {
    TRIES = 8, /* ports */
    /* UPnP Device Architecture 1.1 section 3.2.2; WANIPConnection:2 section 2.5 */
    INVALID_ARGUMENTS = 402,
    ACTION_FAILED = 501,
    NOT_AUTHORIZED = 606,
    INDEX_INVALID = 713,
    NO_SUCH_ENTRY = 714,
    CONFLICT = 718,
    SAME_PORTS = 724,
    ONLY_PERMANENT = 725,
    NO_MORE = 728,
    OTHER_MECHANISM = 729,
};

enum owner { NOBODYS, OURS, OUR_OLD, ANOTHERS, NOT_SAID, SILENCE };

static void upnp_say(struct portmap_result *result, int error) {
    switch (error) {
    case NOT_AUTHORIZED:
        portmap_say(result, "the router does not allow it (UPnP 606): see its settings");
        break;
    case CONFLICT:
    case OTHER_MECHANISM:
        portmap_say(result, "the ports that were tried are taken on the router (UPnP %d)", error);
        break;
    case NO_MORE:
        portmap_say(result, "the router has no room for another mapping (UPnP 728)");
        break;
    default:
        if (error > 0)
            portmap_say(result, "the router said no (UPnP %d)", error);
        else
            portmap_say(result, "the router's answer makes no sense (UPnP)");
    }
}

/* Whose mapping an external port is at the moment. */
static enum owner upnp_owner(const struct portmap_work *work, const struct portmap_igd *igd, uint16_t port,
                             struct portmap_entry *entry) {
    const struct portmap_memory *memory = &work->request->memory;
    int rc = portmap_igd_entry(igd, port, entry);
    if (rc == NO_SUCH_ENTRY || rc == INDEX_INVALID)
        return NOBODYS;
    if (rc != 0)
        return rc > 0 ? NOT_SAID : SILENCE;
    if (strcmp(entry->client, igd->own) == 0 && entry->port == work->request->internal_port)
        return OURS;
    /* What we mapped ourselves, when this machine had another address or the door another port. */
    if (memory->protocol == PORTMAP_BY_UPNP && memory->external_port == port && entry->port != 0 &&
        entry->port == memory->internal_port && strcmp(entry->client, memory->internal_address) == 0)
        return OUR_OLD;
    /* A nameless client is a router that has no such entry and does not say so. */
    return entry->client[0] == '\0' ? NOBODYS : ANOTHERS;
}

/* AddPortMapping with a lease, or for good when the router knows no leases. */
static int upnp_add(struct portmap_work *work, const struct portmap_igd *igd, uint16_t port, bool any,
                    uint16_t *granted) {
    struct portmap_memory *memory = &work->result.memory;
    uint16_t internal = work->request->internal_port;
    for (;;) {
        uint32_t lease_s = memory->permanent ? 0 : work->request->lease_s;
        int rc = any ? portmap_igd_add_any(igd, port, internal, lease_s, granted)
                     : portmap_igd_add(igd, port, internal, lease_s);
        if (memory->permanent || (rc != ONLY_PERMANENT && rc != INVALID_ARGUMENTS))
            return rc;
        memory->permanent = true;
    }
}

/* The mapping is made: what does the router itself say about it? */
static int upnp_added(struct portmap_work *work, const struct portmap_igd *igd, uint16_t port) {
    struct portmap_entry entry = {.port = 0};
    enum owner owner = upnp_owner(work, igd, port, &entry);
    uint32_t lease_s = work->result.memory.permanent ? 0 : work->request->lease_s;
    if (owner == ANOTHERS || owner == OUR_OLD)
        return CONFLICT;
    if (owner == OURS && entry.lease_s == 0)
        lease_s = 0;
    else if (owner == OURS && entry.lease_s < lease_s)
        lease_s = entry.lease_s;
    work->result.memory.permanent = lease_s == 0;
    portmap_note(work, PORTMAP_BY_UPNP, igd->own, igd->external, port, lease_s);
    if (owner == NOBODYS)
        portmap_say(&work->result, "the router said yes, but its table has no such mapping");
    else if (igd->external[0] == '\0')
        portmap_say(&work->result, "the router does not know its own address: is it connected?");
    return 0;
}

/* One external port. 0: mapped. CONFLICT: it is somebody else's; another error is the router's. */
static int upnp_try(struct portmap_work *work, const struct portmap_igd *igd, uint16_t port) {
    struct portmap_entry entry;
    enum owner owner = upnp_owner(work, igd, port, &entry);
    if (owner == ANOTHERS)
        return CONFLICT;
    if (owner == OUR_OLD && portmap_igd_delete(igd, port) != 0)
        return CONFLICT;
    int rc = upnp_add(work, igd, port, false, NULL);
    return rc == 0 ? upnp_added(work, igd, port) : rc;
}

/* Whether another port may help. */
static bool upnp_is_about_port(int error) {
    return error == CONFLICT || error == OTHER_MECHANISM || error == SAME_PORTS || error == ACTION_FAILED ||
           error == NOT_AUTHORIZED;
}

/* The port that is wanted, else the one that we had, else any. */
static int upnp_map(struct portmap_work *work, const struct portmap_igd *igd) {
    const struct portmap_request *request = work->request;
    const uint16_t had = request->memory.external_port, first = portmap_first_port(request);
    int rc = upnp_try(work, igd, first);
    if (upnp_is_about_port(rc) && had != 0 && had != first && upnp_try(work, igd, had) == 0)
        return 0;
    uint16_t granted;
    if (upnp_is_about_port(rc) && portmap_igd_can_add_any(igd) &&
        upnp_add(work, igd, portmap_random_port(), true, &granted) == 0 && upnp_added(work, igd, granted) == 0)
        return 0;
    for (int tries = 1; tries < TRIES && upnp_is_about_port(rc); tries++) {
        bool same = rc == SAME_PORTS || (tries == 1 && request->internal_port >= PORTMAP_LOWEST);
        int next = upnp_try(work, igd, same ? request->internal_port : portmap_random_port());
        if (next == 0)
            return 0;
        if (same && rc == SAME_PORTS)
            break;
        /* The first refusal says more than that of a port that nobody asked for. */
        if (rc == CONFLICT || next == SAME_PORTS)
            rc = next;
    }
    return rc;
}

/* The port that we had before is given back when another one came. */
static void upnp_tidy(const struct portmap_work *work, const struct portmap_igd *igd) {
    const struct portmap_memory *before = &work->request->memory;
    struct portmap_entry entry;
    if (before->protocol != PORTMAP_BY_UPNP || before->external_port == 0 ||
        before->external_port == work->result.memory.external_port)
        return;
    enum owner owner = upnp_owner(work, igd, before->external_port, &entry);
    if (owner == OURS || owner == OUR_OLD)
        (void)portmap_igd_delete(igd, before->external_port);
}

static void upnp_unreachable(struct portmap_work *work, int rc) {
    work->result.outcome = rc == SP_ECLOSED ? PORTMAP_NO_ROUTER : PORTMAP_BROKEN;
    if (rc == SP_EDENIED)
        portmap_say(&work->result, "the router's description leads to another address: not followed");
    else if (rc == SP_ECLOSED)
        portmap_say(&work->result, "the router's description (UPnP) cannot be read");
    else
        portmap_say(&work->result, "what the router describes is no router (UPnP)");
}

void portmap_upnp_map(struct portmap_work *work, const struct portmap_url *description) {
    struct portmap_memory *memory = &work->result.memory;
    struct portmap_igd igd;
    int rc = portmap_igd_open(description, &igd);
    if (rc == 0 && igd.control[0] == '\0')
        rc = SP_EFORMAT;
    if (rc != 0) {
        upnp_unreachable(work, rc);
        return;
    }
    rc = upnp_map(work, &igd);
    if (rc == 0) {
        upnp_tidy(work, &igd);
        portmap_url_write(description, memory->url);
        return;
    }
    memory->permanent = false;
    work->result.outcome = rc > 0 ? PORTMAP_REFUSED : PORTMAP_BROKEN;
    if (igd.external[0] == '\0' && rc != CONFLICT)
        portmap_say(&work->result, PORTMAP_NO_ADDRESS, "UPnP", rc);
    else
        upnp_say(&work->result, rc);
    if (igd.external[0]) {
        /* When that is a private one, it may well be the reason. */
        char said[sizeof work->result.trouble];
        memcpy(said, work->result.trouble, sizeof said);
        portmap_say(&work->result, "%s; its own address is %s", said, igd.external);
    }
}

/* The router that we remember, read anew. */
static int upnp_reopen(struct portmap_work *work, struct portmap_igd *igd) {
    struct portmap_url description;
    const char *url = work->result.memory.url;
    int rc = portmap_url_parse(url, strlen(url), &description);
    if (rc == 0)
        rc = portmap_igd_open(&description, igd);
    if (rc == 0 && igd->control[0] == '\0')
        rc = SP_EFORMAT;
    if (rc != 0)
        upnp_unreachable(work, rc);
    return rc;
}

void portmap_upnp_check(struct portmap_work *work) {
    struct portmap_memory *memory = &work->result.memory;
    struct portmap_igd igd;
    struct portmap_entry entry;
    if (upnp_reopen(work, &igd) != 0)
        return;
    enum owner owner = upnp_owner(work, &igd, memory->external_port, &entry);
    work->result.outcome = owner == OURS || owner == NOT_SAID ? PORTMAP_OK : PORTMAP_LOST;
    if (owner == SILENCE)
        upnp_unreachable(work, SP_ECLOSED);
    else if (owner == ANOTHERS)
        portmap_say(&work->result, "the router has given port %u to another machine", (unsigned)memory->external_port);
    else if (work->result.outcome == PORTMAP_LOST)
        portmap_say(&work->result, "the router forgot the mapping");
    else if (strcmp(igd.external, memory->external_address) != 0) {
        work->result.outcome = PORTMAP_LOST;
        portmap_say(&work->result, "the router's external address is another one now");
    }
}

void portmap_upnp_unmap(struct portmap_work *work) {
    struct portmap_memory *memory = &work->result.memory;
    struct portmap_igd igd;
    struct portmap_entry entry;
    if (upnp_reopen(work, &igd) != 0)
        return;
    enum owner owner = upnp_owner(work, &igd, memory->external_port, &entry);
    int rc = owner == SILENCE ? SP_ECLOSED : 0;
    if (owner == OURS || owner == OUR_OLD || owner == NOT_SAID)
        rc = portmap_igd_delete(&igd, memory->external_port);
    if (rc != 0 && rc != NO_SUCH_ENTRY) {
        work->result.outcome = PORTMAP_REFUSED;
        upnp_say(&work->result, rc);
        return;
    }
    portmap_forget(memory);
    work->result.outcome = PORTMAP_OK;
}

int portmap_upnp_pinhole(struct portmap_work *work, const struct portmap_url *description, uint32_t lease_s,
                         uint16_t *id) {
    struct portmap_igd igd;
    int rc = portmap_igd_open(description, &igd);
    if (rc == 0 && igd.firewall_control[0] == '\0')
        rc = SP_ENOENT;
    if (rc != 0)
        return rc;
    rc = lease_s == 0 ? portmap_igd_pinhole_delete(&igd, *id)
                      : portmap_igd_pinhole(&igd, work->request->address6, work->request->internal_port, lease_s, id);
    if (rc == 0)
        return 0;
    upnp_say(&work->result, rc);
    return SP_EDENIED;
}
