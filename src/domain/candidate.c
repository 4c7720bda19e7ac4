/* Candidates: their names, their JSON, and where the relay may look for them. */
#include "sallyport/domain/candidate.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"

static const char *const kinds[] = {[CANDIDATE_LAN] = "lan",
                                    [CANDIDATE_MAPPED] = "mapped",
                                    [CANDIDATE_IPV6] = "ipv6",
                                    [CANDIDATE_OBSERVED] = "observed"};
static const char *const states[] = {
    [CANDIDATE_UNCHECKED] = "unchecked", [CANDIDATE_VERIFIED] = "verified", [CANDIDATE_FAILED] = "failed"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *candidate_kind_name(enum candidate_kind kind) {
    return kinds[kind];
}

int candidate_kind_parse(const char *text, enum candidate_kind *out) {
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (strcmp(text, kinds[i]) == 0) {
            *out = (enum candidate_kind)i;
            return 0;
        }
    }
    return SP_EINVAL;
}

const char *candidate_state_name(enum candidate_state state) {
    return states[state];
}

/* An unknown word is as good as none. */
static enum candidate_state state_of(const char *text) {
    for (size_t i = 0; i < COUNT(states); i++)
        if (strcmp(text, states[i]) == 0)
            return (enum candidate_state)i;
    return CANDIDATE_UNCHECKED;
}

bool candidate_address(char to[static INET6_ADDRSTRLEN], const char *text) {
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, text, &v4) == 1)
        return inet_ntop(AF_INET, &v4, to, INET6_ADDRSTRLEN) != NULL;
    if (inet_pton(AF_INET6, text, &v6) != 1)
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&v6))
        return inet_ntop(AF_INET, v6.s6_addr + 12, to, INET6_ADDRSTRLEN) != NULL;
    return inet_ntop(AF_INET6, &v6, to, INET6_ADDRSTRLEN) != NULL;
}

/* The same address, however it is written? */
static bool is_same_address(const char *a, const char *b) {
    char left[INET6_ADDRSTRLEN], right[INET6_ADDRSTRLEN];
    return candidate_address(left, a) && candidate_address(right, b) && strcmp(left, right) == 0;
}

bool candidate_same(const struct candidate *a, const struct candidate *b) {
    return a->kind == b->kind && a->port == b->port && is_same_address(a->address, b->address);
}

json_t *candidate_to_json(const struct candidate *candidate) {
    const char *state = candidate->state == CANDIDATE_UNCHECKED ? NULL : candidate_state_name(candidate->state);
    json_t *object = json_pack("{s:s, s:s, s:i, s:s*, s:s*}", "kind", candidate_kind_name(candidate->kind), "address",
                               candidate->address, "port", (int)candidate->port, "to",
                               candidate->to_sshd ? "sshd" : NULL, "state", state);
    if (object && jsonline_set_text(object, "by", candidate->by) &&
        jsonline_set_time(object, "checked", candidate->checked) && jsonline_set_text(object, "text", candidate->text))
        return object;
    json_decref(object);
    return NULL;
}

int candidate_from_json(const json_t *object, struct candidate *out, struct why *why) {
    struct candidate one = {0};
    char kind[32], address[2 * INET6_ADDRSTRLEN], to[32] = "door", state[32];
    int64_t port;
    const char *wrong = "kind";
    if (!jsonline_text(object, "kind", kind, sizeof(kind)))
        goto refuse;
    wrong = "address";
    if (!jsonline_text(object, "address", address, sizeof(address)) || !candidate_address(one.address, address))
        goto refuse;
    wrong = "port";
    if (!jsonline_integer(object, "port", 1, UINT16_MAX, &port))
        goto refuse;
    if (candidate_kind_parse(kind, &one.kind))
        return SP_ENOENT;
    if (json_object_get(object, "to") && !jsonline_text(object, "to", to, sizeof(to)))
        return SP_ENOENT;
    one.to_sshd = strcmp(to, "sshd") == 0;
    if (!one.to_sshd && strcmp(to, "door") != 0)
        return SP_ENOENT;
    one.port = (uint16_t)port;
    jsonline_text(object, "by", one.by, sizeof(one.by));
    if (jsonline_text(object, "state", state, sizeof(state)))
        one.state = state_of(state);
    jsonline_time(object, "checked", &one.checked);
    jsonline_text_cut(object, "text", one.text, sizeof(one.text));
    *out = one;
    return 0;
refuse:
    why_set(why, "a candidate's %s is missing or wrong", wrong);
    return SP_EFORMAT;
}

static int refuse_scope(const struct candidate *candidate, enum address_scope scope, struct why *why) {
    bool router = candidate->kind == CANDIDATE_MAPPED;
    if (router && scope == ADDRESS_CARRIER)
        why_set(why, "carrier NAT: your router's own address %s is private", candidate->address);
    else if (router && scope == ADDRESS_PRIVATE)
        why_set(why, "a second router in front: your router's own address %s is private", candidate->address);
    else
        why_set(why, "the address %s is %s: not to be reached from outside", candidate->address,
                address_scope_words(scope));
    return SP_EDENIED;
}

int candidate_may_prove(const struct candidate *candidate, const char *observed, const char *const *own,
                        struct why *why) {
    enum address_scope scope = address_scope(candidate->address);
    if (candidate->kind == CANDIDATE_LAN) {
        why_set(why, "an address of the machine's own network is not asked from outside");
        return SP_EDENIED;
    }
    if (scope != ADDRESS_PUBLIC)
        return refuse_scope(candidate, scope, why);
    for (; own && *own; own++) {
        if (is_same_address(candidate->address, *own)) {
            why_set(why, "the address %s is the relay's own", candidate->address);
            return SP_EDENIED;
        }
    }
    if (candidate->kind != CANDIDATE_MAPPED && !(observed && is_same_address(candidate->address, observed))) {
        why_set(why, "the relay does not see the machine at %s", candidate->address);
        return SP_EDENIED;
    }
    return 0;
}

bool candidate_same_network(const char *client, const char *observed) {
    char left[INET6_ADDRSTRLEN], right[INET6_ADDRSTRLEN];
    struct in6_addr a, b;
    if (!client || !observed || !candidate_address(left, client) || !candidate_address(right, observed))
        return false;
    if (address_scope(left) == ADDRESS_PRIVATE && address_scope(right) == ADDRESS_PRIVATE)
        return true;
    if (inet_pton(AF_INET6, left, &a) == 1 && inet_pton(AF_INET6, right, &b) == 1 && !IN6_IS_ADDR_LOOPBACK(&a))
        return memcmp(&a, &b, 8) == 0;
    return strcmp(left, right) == 0;
}
