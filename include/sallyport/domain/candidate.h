/* Candidates: addresses at which a machine's door may be reached without the relay, and what the relay found there. */
#ifndef SALLYPORT_DOMAIN_CANDIDATE_H
#define SALLYPORT_DOMAIN_CANDIDATE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sallyport/base/err.h"

struct json_t;

enum { CANDIDATES_MAX = 8, CANDIDATE_TEXT_SIZE = 200 };

enum candidate_kind {
    CANDIDATE_LAN,      /* an address of its own on its network; never asked by the relay */
    CANDIDATE_MAPPED,   /* a port of its router, as the router told */
    CANDIDATE_IPV6,     /* its own global IPv6 address, with or without a pinhole */
    CANDIDATE_OBSERVED, /* where the relay sees it, with the door's own port: a machine without a router */
};

enum candidate_state { CANDIDATE_UNCHECKED, CANDIDATE_VERIFIED, CANDIDATE_FAILED };

struct candidate {
    enum candidate_kind kind;
    char address[INET6_ADDRSTRLEN]; /* in figures, without scope */
    uint16_t port;
    bool to_sshd; /* sshd itself answers there, not the door (direct = sshd) */
    char by[16];  /* what mapped it: "upnp", "nat-pmp", "pcp"; may be "" */
    enum candidate_state state;
    int64_t checked;                /* UTC seconds; 0: never */
    char text[CANDIDATE_TEXT_SIZE]; /* why it failed, for people; may be "" */
};

/* "lan", "mapped", "ipv6", "observed"; "unchecked", "verified", "failed". */
const char *candidate_kind_name(enum candidate_kind kind);
int candidate_kind_parse(const char *text, enum candidate_kind *out); /* SP_EINVAL */
const char *candidate_state_name(enum candidate_state state);

/* Two candidates for the same address, port and kind? */
bool candidate_same(const struct candidate *a, const struct candidate *b);

/* A new jansson object (the caller's) with all that is known, as in docs/PROTOCOL.md section 7; NULL: out of memory, or
 * a text is not UTF-8. */
struct json_t *candidate_to_json(const struct candidate *candidate);
/* Reads one that came from outside. SP_ENOENT: of a kind, or to something, that is not known here; SP_EFORMAT. */
int candidate_from_json(const struct json_t *object, struct candidate *out, struct why *why);
/* An address in figures as everybody else writes it, too (an IPv4 address in IPv6 as IPv4). False when it is none. */
bool candidate_address(char to[static INET6_ADDRSTRLEN], const char *text);

enum address_scope {
    ADDRESS_NONE,     /* not an address in figures, or unspecified, multicast, broadcast */
    ADDRESS_LOOPBACK, /* 127/8, ::1 */
    ADDRESS_LINK,     /* 169.254/16, fe80::/10 */
    ADDRESS_PRIVATE,  /* 10/8, 172.16/12, 192.168/16, fc00::/7 */
    ADDRESS_CARRIER,  /* 100.64/10: carrier NAT (RFC 6598) */
    ADDRESS_RESERVED, /* documentation, benchmarks, 0/8, 192.0.0/24, 240/4, discard, 6to4 relays ... (RFC 6890) */
    ADDRESS_PUBLIC,
};

/* Pure; an IPv4 address in IPv6 (::ffff:0:0/96, also 64:ff9b::/96) counts as that IPv4 address. */
enum address_scope address_scope(const char *text);
/* For messages: "private", "carrier NAT's", ... */
const char *address_scope_words(enum address_scope scope);

/* May the relay connect to this candidate to prove it? Only to public addresses that are not `own` (a NULL-terminated
 * list of the relay's own), and only to where the machine was seen (`observed`), or, for CANDIDATE_MAPPED, what its
 * router reported. SP_EDENIED with why. Pure. */
int candidate_may_prove(const struct candidate *candidate, const char *observed, const char *const *own,
                        struct why *why);

/* Should a client that the relay sees at `client` be told of a machine's LAN addresses? Yes when both come from the same
 * address (IPv6: the same /64), or when both are on private addresses of the relay's own network. Pure. */
bool candidate_same_network(const char *client, const char *observed);

#endif
