/* What the files of the port mapper share: the message to the child, and what the child is made of. */
#ifndef SALLYPORT_WIRE_PORTMAP_LOCAL_H
#define SALLYPORT_WIRE_PORTMAP_LOCAL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sallyport/wire/portmap.h"

/* ---- Messages between parent and child: one of each, of a fixed size, on a pair of SOCK_SEQPACKET ---- */

struct portmap_message {
    uint32_t deadline_ms;
    struct portmap_request request;
};

/* How a child ends that could not be locked in; nothing was asked. */
enum { PORTMAP_EXIT_SANDBOX = 3 };

/* Whether a request makes sense; in the child, which trusts nobody. */
bool portmap_request_is_valid(const struct portmap_request *request);
/* Whether n bytes from the child are a result that answers `request`: copied to *out then, else SP_EFORMAT. */
int portmap_result_read(const struct portmap_request *request, const void *bytes, size_t n, struct portmap_result *out);
/* Writes `trouble`, as clean ASCII, cut off when too long. */
void portmap_say(struct portmap_result *result, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What is said when the router has nothing to map a port on: protocol, number of the error. */
#define PORTMAP_NO_ADDRESS \
    "the router has no public address of its own (%s %d): the ISP has another NAT in front (carrier NAT), or there " \
    "is " \
    "no connection"
/* Copies as much of n bytes as fits, as printable ASCII without blanks at the ends. */
void portmap_clean(char *to, size_t size, const char *from, size_t n);

/* ---- The sandbox ---- */

/* Gives up, for good, all that answering a request does not need: files, other programs, other users' rights, memory.
 * Descriptors stay open. 0, or SP_ESYS when one of the things that always work did not. */
int portmap_sandbox(void);

/* ---- Addresses and URLs ---- */

/* An http URL whose host is an address in figures. */
struct portmap_url {
    char host[INET6_ADDRSTRLEN]; /* as inet_ntop writes it, without brackets */
    uint16_t port;
    char path[160]; /* with the first slash; visible ASCII */
};
#define PORTMAP_URL_SIZE 256

/* `n` bytes. SP_EFORMAT: not http, a name instead of an address, a user, a scope, blanks; SP_ETOOBIG. */
int portmap_url_parse(const char *text, size_t n, struct portmap_url *out);
void portmap_url_write(const struct portmap_url *url, char to[static PORTMAP_URL_SIZE]);
/* What `reference` (of a description at `base`) means: an absolute URL or a path. SP_EDENIED when it leads to another
 * host, SP_EFORMAT, SP_ETOOBIG. */
int portmap_url_resolve(const struct portmap_url *base, const char *reference, struct portmap_url *out);

/* "192.0.2.1", "fe80::1%eth0" (or %2) with a port. SP_EFORMAT. */
int portmap_address(const char *text, uint16_t port, struct sockaddr_storage *out, socklen_t *len);
/* A non-blocking UDP socket from `source` ("": the kernel's choice) that only hears and speaks to `peer`. The address it
 * has goes to `own` in figures. SP_ESYS, SP_EFORMAT. */
int portmap_udp(const char *source, const char *peer, uint16_t port, char own[static INET6_ADDRSTRLEN], int *fd);

/* Whether both IPv6 addresses are one neighbour on the link with that index: the same station has answered for them. The
 * kernel is asked what it has found out by itself. */
bool portmap_same_neighbour(const struct in6_addr *a, const struct in6_addr *b, uint32_t link);

/* ---- SSDP (UPnP Device Architecture 1.1, section 1.3) ---- */

enum { SSDP_PORT = 1900, SSDP_TARGETS = 4 };
struct portmap_ssdp {
    struct portmap_url url;
    char server[64];
};
/* The question for one of SSDP_TARGETS kinds of router; bytes written. `host` as it is to stand in HOST. */
size_t portmap_ssdp_question(char *to, size_t size, const char *host, unsigned target);
/* A datagram: SP_EFORMAT when it is no answer of a router. */
int portmap_ssdp_parse(const char *bytes, size_t n, struct portmap_ssdp *out);

/* ---- PCP (RFC 6887); NAT-PMP's epoch (RFC 6886) ---- */

enum { PCP_PORT = 5351, PCP_ANNOUNCE = 0, PCP_MAP = 1, PCP_MAP_SIZE = 60, PCP_ANNOUNCE_SIZE = 24, PCP_MAX = 1100 };
struct portmap_pcp_ask {
    struct in6_addr client; /* ours; IPv4 as ::ffff:a.b.c.d */
    uint8_t nonce[12];
    uint16_t internal_port, external_port;
    struct in6_addr external; /* wished for */
    uint32_t lifetime_s;      /* 0: take it away */
};
struct portmap_pcp_answer {
    uint8_t opcode, result;
    uint32_t lifetime_s, epoch;
    uint8_t nonce[12]; /* MAP, like all that follows */
    uint16_t internal_port, external_port;
    struct in6_addr external;
};
void portmap_pcp_write_announce(uint8_t to[static PCP_ANNOUNCE_SIZE], const struct in6_addr *client);
void portmap_pcp_write_map(uint8_t to[static PCP_MAP_SIZE], const struct portmap_pcp_ask *ask);
/* SP_EVERSION: it speaks something older; SP_EFORMAT. */
int portmap_pcp_parse(const uint8_t *bytes, size_t n, struct portmap_pcp_answer *out);
/* Whether the router's clock went on since `before` as ours did (section 8.5; of NAT-PMP: RFC 6886 section 3.6), so that
 * it has not started anew. Elapsed milliseconds of ours. */
bool portmap_pcp_epoch_goes_on(uint32_t before, uint32_t now, uint64_t elapsed_ms);
bool portmap_natpmp_epoch_goes_on(uint32_t before, uint32_t now, uint64_t elapsed_ms);

/* ---- The child's work ---- */

struct portmap_work {
    const struct portmap_request *request;
    struct portmap_result result;
};

/* Each tries one way for IPv4, from `result.memory`, and on success leaves a mapping there. 0: result.outcome and the
 * rest say how it went. A way that failed leaves no mapping behind. */
void portmap_pcp_map(struct portmap_work *work);
void portmap_pcp_check(struct portmap_work *work);
void portmap_pcp_unmap(struct portmap_work *work);
void portmap_natpmp_map(struct portmap_work *work);
void portmap_natpmp_check(struct portmap_work *work);
void portmap_natpmp_unmap(struct portmap_work *work);
void portmap_upnp_map(struct portmap_work *work, const struct portmap_url *description);
void portmap_upnp_check(struct portmap_work *work);
void portmap_upnp_unmap(struct portmap_work *work);

enum { PORTMAP_LOWEST = 1024 }; /* routers are asked for ports from here on, unless one below is wanted */
uint16_t portmap_random_port(void);
/* The external port to ask for first: the one that we had, the one that is wanted, our own, any. */
uint16_t portmap_first_port(const struct portmap_request *request);
/* Forgets the mapping (not the router). */
void portmap_forget(struct portmap_memory *memory);
/* Notes a mapping that was made. */
void portmap_note(struct portmap_work *work, enum portmap_protocol protocol, const char *internal_address,
                  const char *external_address, uint16_t external_port, uint32_t lease_s);

/* Who answers at the gateway, all asked at the same time; returns each way once, the best first, PORTMAP_NONE when
 * there are no more within SEARCH_MS of portmap_search_new. `url` is filled for PORTMAP_BY_UPNP. */
struct portmap_search;
int portmap_search_new(const struct portmap_request *request, struct portmap_search **out);
enum portmap_protocol portmap_search_next(struct portmap_search *search, struct portmap_ssdp *ssdp);
void portmap_search_free(struct portmap_search *search);

/* NAT-PMP's question for the external address, for the search. */
struct portmap_natpmp;
int portmap_natpmp_new(const char *gateway, struct portmap_natpmp **out);
int portmap_natpmp_fd(const struct portmap_natpmp *natpmp);
/* 0: it answered (also with a refusal). SP_EAGAIN: not yet, or not now; SP_ECLOSED: nobody speaks it there. */
int portmap_natpmp_read(struct portmap_natpmp *natpmp);
void portmap_natpmp_free(struct portmap_natpmp *natpmp);

/* A PCP pinhole: the same address and port outside as inside. Lease 0 takes it away. 0; SP_EDENIED with a sentence in
 * `result`; SP_ECLOSED, SP_ETIMEOUT, SP_ESYS when nobody speaks PCP there before `end` (os_monotonic_ms). */
int portmap_pcp_pinhole(const struct portmap_request *request, struct portmap_memory *memory, uint32_t lease_s,
                        uint64_t end, struct portmap_result *result);

/* The IPv6 pinhole, by whatever the IPv6 gateway speaks: memory.pinhole and pinhole_id say how it went. */
void portmap_pinhole_open(struct portmap_work *work);
void portmap_pinhole_close(struct portmap_work *work);

/* UPnP's pinhole, at the router described there; *id is its number, to be kept (0: it has none yet). Lease 0 takes it
 * away. SP_EDENIED with a sentence in `result`. */
int portmap_upnp_pinhole(struct portmap_work *work, const struct portmap_url *description, uint32_t lease_s,
                         uint16_t *id);

#endif
