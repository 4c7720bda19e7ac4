#include "own_addresses.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/candidate.h"

bool own_address_is_inner(const char *interface) {
    static const char *const beginnings[] = {"docker", "br-", "veth",      "virbr", "vnet",   "lxc",
                                             "lxd",    "cni", "flannel",   "cali",  "podman", "tun",
                                             "tap",    "wg",  "tailscale", "zt",    "nebula", "vmnet"};
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (str_starts(interface, beginnings[i]))
            return true;
    return false;
}

static void take(const struct ifaddrs *each, int family, struct own_addresses *out) {
    struct sockaddr_storage address = {0};
    if (!each->ifa_addr || each->ifa_addr->sa_family != family || out->count == OWN_ADDRESSES_MAX)
        return;
    unsigned wanted = IFF_UP | IFF_RUNNING;
    if ((each->ifa_flags & wanted) != wanted || (each->ifa_flags & IFF_LOOPBACK))
        return;
    memcpy(&address, each->ifa_addr, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    struct own_address *own = &out->list[out->count];
    os_address_text(&address, own->text);
    enum address_scope scope = address_scope(own->text);
    if (scope == ADDRESS_NONE || scope == ADDRESS_LOOPBACK || scope == ADDRESS_LINK ||
        own_addresses_have(out, own->text))
        return;
    own->lan = !own_address_is_inner(each->ifa_name) && !(each->ifa_flags & IFF_POINTOPOINT);
    out->count++;
}

int own_addresses_read(struct own_addresses *out) {
    struct ifaddrs *all;
    struct own_addresses found = {0};
    if (getifaddrs(&all) < 0)
        return SP_ESYS;
    for (const struct ifaddrs *each = all; each; each = each->ifa_next)
        take(each, AF_INET, &found);
    for (const struct ifaddrs *each = all; each; each = each->ifa_next)
        take(each, AF_INET6, &found);
    freeifaddrs(all);
    *out = found;
    return 0;
}

bool own_addresses_have(const struct own_addresses *own, const char *text) {
    for (size_t i = 0; i < own->count; i++)
        if (strcmp(own->list[i].text, text) == 0)
            return true;
    return false;
}
