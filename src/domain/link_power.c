/* The messages of the link that wake machines and publish services (docs/PROTOCOL.md sections 3 and 8). */
#include <arpa/inet.h>
#include <jansson.h>
#include <string.h>

#include "link_local.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"

bool link_mac_bytes(const char *text, uint8_t to[static 6]) {
    static const char figures[] = "0123456789abcdef";
    uint8_t bytes[6];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        const char *high = text[3 * i] ? strchr(figures, text[3 * i]) : NULL;
        const char *low = high && text[3 * i + 1] ? strchr(figures, text[3 * i + 1]) : NULL;
        if (!low || text[3 * i + 2] != (i + 1 < sizeof(bytes) ? ':' : '\0'))
            return false;
        bytes[i] = (uint8_t)((high - figures) * 16 + (low - figures));
    }
    if (bytes[0] & 1) /* a group's */
        return false;
    memcpy(to, bytes, sizeof(bytes));
    return true;
}

/* "192.168.1.0/24", with room for more than one machine. */
static bool is_network(const char *text) {
    char address[INET_ADDRSTRLEN];
    struct in_addr bytes;
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : 0;
    uint64_t bits;
    if (len == 0 || len >= sizeof(address))
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    return inet_pton(AF_INET, address, &bytes) == 1 && str_u64(slash + 1, 8, 30, &bits) == 0;
}

static bool read_network(const json_t *object, struct link_network *out) {
    uint8_t bytes[6];
    struct link_network network;
    if (!jsonline_text(object, "mac", network.mac, sizeof(network.mac)) || !link_mac_bytes(network.mac, bytes) ||
        !jsonline_text(object, "network", network.network, sizeof(network.network)) || !is_network(network.network))
        return false;
    *out = network;
    return true;
}

/* One that makes no sense is forgotten, and so is what is over the bound: a host with many containers has many. */
int link_read_lan(const json_t *object, struct link_message *out, struct why *why) {
    const json_t *array = json_object_get(object, "networks");
    if (!json_is_array(array))
        return link_refuse_field(why, "lan: networks");
    for (size_t i = 0; i < json_array_size(array) && out->lan.count < LINK_NETWORKS_MAX; i++) {
        if (read_network(json_array_get(array, i), &out->lan.list[out->lan.count]))
            out->lan.count++;
    }
    return 0;
}

int link_read_wake(const json_t *object, struct link_message *out, struct why *why) {
    return read_network(object, &out->wake) ? 0 : link_refuse_field(why, "wake: an address");
}

int link_read_publish(const json_t *object, struct link_message *out, struct why *why) {
    struct link_publish *publish = &out->publish;
    int64_t port;
    const json_t *published = json_object_get(object, "published");
    if (!jsonline_text(object, "service", publish->service, sizeof(publish->service)) ||
        service_name_check(publish->service, NULL) || !jsonline_integer(object, "port", 1, UINT16_MAX, &port) ||
        !json_is_boolean(published))
        return link_refuse_field(why, "publish: a service");
    publish->port = (uint16_t)port;
    publish->published = json_is_true(published);
    return 0;
}

int link_format_lan(struct buf *out, const struct link_lan *lan) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < lan->count; i++) {
        if (json_array_append_new(array,
                                  json_pack("{s:s, s:s}", "mac", lan->list[i].mac, "network", lan->list[i].network))) {
            json_decref(array);
            array = NULL;
        }
    }
    return link_append(out, json_pack("{s:s, s:o}", "kind", "lan", "networks", array));
}

int link_format_wake(struct buf *out, const struct link_network *wake) {
    return link_append(out, json_pack("{s:s, s:s, s:s}", "kind", "wake", "mac", wake->mac, "network", wake->network));
}

int link_format_publish(struct buf *out, const struct link_publish *publish) {
    return link_append(out, json_pack("{s:s, s:s, s:i, s:b}", "kind", "publish", "service", publish->service, "port",
                                      (int)publish->port, "published", (int)publish->published));
}
