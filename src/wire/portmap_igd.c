#include "portmap_igd.h"

#include <arpa/inet.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/base/str.h"

/* The library's own buffers (upnpcommands.h), each with room to spare. */
struct igd_answer {
    char client[64], port[16], description[128], enabled[16], lease[32];
};

static void igd_number(char to[static 12], uint32_t number) {
    (void)snprintf(to, 12, "%u", number);
}

/* It stands in our requests, so it is made of harmless signs. */
static bool igd_is_service(const char *type, size_t size, const char *prefix) {
    if (!memchr(type, '\0', size) || !str_starts(type, prefix))
        return false;
    for (; *type; type++)
        if (!(*type >= 'a' && *type <= 'z') && !(*type >= 'A' && *type <= 'Z') && !(*type >= '0' && *type <= '9') &&
            *type != ':' && *type != '-')
            return false;
    return true;
}

/* Takes a service over when it is of that type and is reached at the router itself. */
static int igd_take(const struct portmap_url *base, struct IGDdatas_service *from, const char *prefix, char *control,
                    char *service, size_t size) {
    struct portmap_url url;
    from->controlurl[sizeof from->controlurl - 1] = '\0';
    if (!igd_is_service(from->servicetype, sizeof from->servicetype, prefix))
        return SP_ENOENT;
    int rc = portmap_url_resolve(base, from->controlurl, &url);
    if (rc != 0)
        return rc;
    rc = str_copy(service, size, from->servicetype);
    if (rc == 0)
        portmap_url_write(&url, control);
    return rc;
}

static bool igd_ask_external(struct portmap_igd *igd) {
    char text[INET6_ADDRSTRLEN] = "";
    struct in_addr address;
    igd->external[0] = '\0';
    if (UPNP_GetExternalIPAddress(igd->control, igd->service, text) != UPNPCOMMAND_SUCCESS)
        return false;
    text[sizeof text - 1] = '\0';
    if (inet_pton(AF_INET, text, &address) != 1 || address.s_addr == 0)
        return false;
    return inet_ntop(AF_INET, &address, igd->external, sizeof igd->external) != NULL;
}

/* A router may describe two connections (IP and PPP): the one that has an address is in use. */
static int igd_choose(const struct portmap_url *base, struct IGDdatas *data, struct portmap_igd *igd) {
    struct IGDdatas_service *const services[] = {&data->first, &data->second};
    static const char *const kinds[] = {"urn:schemas-upnp-org:service:WANIPConnection:",
                                        "urn:schemas-upnp-org:service:WANPPPConnection:"};
    int worst = SP_ENOENT;
    for (size_t i = 0; i < 4; i++) {
        struct portmap_igd other = *igd;
        int rc = igd_take(base, services[i / 2], kinds[i % 2], other.control, other.service, sizeof other.service);
        if (rc != 0 && rc != SP_ENOENT)
            worst = rc;
        if (rc != 0)
            continue;
        bool connected = igd_ask_external(&other);
        if (connected || igd->control[0] == '\0')
            *igd = other;
        if (connected)
            break;
    }
    return igd->control[0] ? 0 : worst;
}

int portmap_igd_open(const struct portmap_url *description, struct portmap_igd *igd) {
    struct IGDdatas data;
    struct UPNPUrls urls;
    char text[PORTMAP_URL_SIZE], own[64] = "";
    uint8_t bytes[16];
    struct portmap_url base = *description;
    memset(igd, 0, sizeof *igd);
    memset(&data, 0, sizeof data);
    memset(&urls, 0, sizeof urls);
    portmap_url_write(description, text);
    if (UPNP_GetIGDFromUrl(text, &urls, &data, own, sizeof own) != 1)
        return SP_ECLOSED;
    /* Its URLs are not looked at: they may lead anywhere. */
    FreeUPNPUrls(&urls);
    int family = strchr(description->host, ':') ? AF_INET6 : AF_INET;
    own[sizeof own - 1] = data.urlbase[sizeof data.urlbase - 1] = '\0';
    if (inet_pton(family, own, bytes) != 1 || !inet_ntop(family, bytes, igd->own, sizeof igd->own))
        return SP_EFORMAT;
    int rc = data.urlbase[0] ? portmap_url_resolve(description, data.urlbase, &base) : 0;
    if (rc != 0)
        return rc;
    if (igd_take(&base, &data.IPv6FC, "urn:schemas-upnp-org:service:WANIPv6FirewallControl:", igd->firewall_control,
                 igd->firewall, sizeof igd->firewall) != 0)
        igd->firewall_control[0] = '\0';
    rc = igd_choose(&base, &data, igd);
    if (rc == SP_ENOENT)
        rc = igd->firewall_control[0] ? 0 : SP_EFORMAT;
    return rc;
}

int portmap_igd_entry(const struct portmap_igd *igd, uint16_t external_port, struct portmap_entry *out) {
    struct igd_answer answer;
    char port[12];
    uint64_t number;
    uint8_t bytes[4];
    memset(&answer, 0, sizeof answer);
    igd_number(port, external_port);
    int rc = UPNP_GetSpecificPortMappingEntry(igd->control, igd->service, port, "TCP", NULL, answer.client, answer.port,
                                              answer.description, answer.enabled, answer.lease);
    if (rc != UPNPCOMMAND_SUCCESS)
        return rc;
    memset(out, 0, sizeof *out);
    answer.client[sizeof answer.client - 1] = answer.port[sizeof answer.port - 1] = '\0';
    answer.lease[sizeof answer.lease - 1] = '\0';
    if (inet_pton(AF_INET, answer.client, bytes) == 1)
        (void)inet_ntop(AF_INET, bytes, out->client, sizeof out->client);
    if (str_u64(answer.port, 1, 65535, &number) == 0)
        out->port = (uint16_t)number;
    if (str_u64(answer.lease, 0, UINT32_MAX, &number) == 0)
        out->lease_s = (uint32_t)number;
    return 0;
}

int portmap_igd_add(const struct portmap_igd *igd, uint16_t external_port, uint16_t internal_port, uint32_t lease_s) {
    char external[12], internal[12], lease[12];
    igd_number(external, external_port);
    igd_number(internal, internal_port);
    igd_number(lease, lease_s);
    return UPNP_AddPortMapping(igd->control, igd->service, external, internal, igd->own, "sallyport", "TCP", NULL,
                               lease);
}

bool portmap_igd_can_add_any(const struct portmap_igd *igd) {
    return str_starts(igd->service, "urn:schemas-upnp-org:service:WANIPConnection:") &&
           strcmp(igd->service, "urn:schemas-upnp-org:service:WANIPConnection:1") != 0;
}

int portmap_igd_add_any(const struct portmap_igd *igd, uint16_t external_port, uint16_t internal_port, uint32_t lease_s,
                        uint16_t *granted) {
    char external[12], internal[12], lease[12], reserved[16] = "";
    uint64_t number;
    igd_number(external, external_port);
    igd_number(internal, internal_port);
    igd_number(lease, lease_s);
    int rc = UPNP_AddAnyPortMapping(igd->control, igd->service, external, internal, igd->own, "sallyport", "TCP", NULL,
                                    lease, reserved);
    reserved[sizeof reserved - 1] = '\0';
    if (rc == 0 && str_u64(reserved, 1, 65535, &number) != 0)
        return UPNPCOMMAND_INVALID_RESPONSE;
    if (rc == 0)
        *granted = (uint16_t)number;
    return rc;
}

int portmap_igd_delete(const struct portmap_igd *igd, uint16_t external_port) {
    char external[12];
    igd_number(external, external_port);
    return UPNP_DeletePortMapping(igd->control, igd->service, external, "TCP", NULL);
}

int portmap_igd_pinhole(const struct portmap_igd *igd, const char *address, uint16_t port, uint32_t lease_s,
                        uint16_t *id) {
    char lease[12], inside[12], unique[32] = "";
    uint64_t number;
    igd_number(lease, lease_s);
    igd_number(inside, port);
    if (*id != 0) {
        igd_number(unique, *id);
        if (UPNP_UpdatePinhole(igd->firewall_control, igd->firewall, unique, lease) == 0)
            return 0;
    }
    /* From anywhere, any port; protocol 6 is TCP. */
    int rc = UPNP_AddPinhole(igd->firewall_control, igd->firewall, "", "0", address, inside, "6", lease, unique);
    unique[sizeof unique - 1] = '\0';
    if (rc == 0 && str_u64(unique, 0, 65535, &number) != 0)
        return UPNPCOMMAND_INVALID_RESPONSE;
    if (rc == 0)
        *id = (uint16_t)number;
    return rc;
}

int portmap_igd_pinhole_delete(const struct portmap_igd *igd, uint16_t id) {
    char unique[12];
    igd_number(unique, id);
    return UPNP_DeletePinhole(igd->firewall_control, igd->firewall, unique);
}
