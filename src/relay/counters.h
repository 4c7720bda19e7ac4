/* What the relay counts for /metrics: plain numbers, since it was started. */
#ifndef SALLYPORT_RELAY_COUNTERS_H
#define SALLYPORT_RELAY_COUNTERS_H

#include <stdint.h>

/* Of SSH, of the door, and of the streams through them. */
struct relay_counters {
    uint64_t logins_accepted, logins_refused;
    uint64_t streams_opened, streams_refused;
    uint64_t to_machines_bytes, from_machines_bytes; /* through streams that are over */
    uint64_t streams_open;                           /* at this moment */
    uint64_t spliced_opened, spliced_refused;
    uint64_t spliced_to_machines_bytes, spliced_from_machines_bytes; /* through those that are over */
    uint64_t spliced_open;                                           /* at this moment */
    uint64_t asks_answered, asks_refused;
    uint64_t proofs_verified, proofs_failed;
};

/* Requests by the first digit of the status that they were answered with; [0]: none at all. */
#define COUNTERS_CLASSES 6

/* Of the web front. */
struct web_counters {
    uint64_t page_requests[COUNTERS_CLASSES];    /* for the relay's own host */
    uint64_t service_requests[COUNTERS_CLASSES]; /* for the hosts of services */
    uint64_t carried_bytes;                      /* bodies of services' requests and answers, and WebSockets */
    uint64_t websockets_opened;
    uint64_t handshakes_failed; /* TLS */
};

static inline void counters_request(uint64_t counts[static COUNTERS_CLASSES], unsigned status) {
    counts[status / 100 < COUNTERS_CLASSES ? status / 100 : 0]++;
}

#endif
