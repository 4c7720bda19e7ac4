/* The state of a machine as its agent measured it (docs/PROTOCOL.md section 4). */
#ifndef SALLYPORT_DOMAIN_STATUS_H
#define SALLYPORT_DOMAIN_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

#define STATUS_FILESYSTEMS_MAX 64

/* Integers that are not known are STATUS_UNKNOWN, loads NAN. */
#define STATUS_UNKNOWN (-1)

struct filesystem {
    char mount[256];
    char type[32];
    int64_t total_bytes, used_bytes, available_bytes;
};

struct status {
    int64_t uptime_s;
    double load_1m, load_5m, load_15m;
    int64_t cpu_count;
    int64_t memory_total_bytes;
    int64_t memory_used_bytes; /* total minus available */
    int64_t swap_total_bytes;
    int64_t swap_used_bytes;
    struct filesystem *filesystems; /* owned, from malloc */
    size_t filesystem_count;        /* at most STATUS_FILESYSTEMS_MAX */
};

/* Nothing is known. */
void status_init(struct status *status);
/* Frees; nothing is known afterwards. */
void status_fini(struct status *status);
/* No member is known. */
bool status_is_empty(const struct status *status);

/* A new jansson object with the known members (the caller's), or NULL when out of memory. */
struct json_t *status_to_json(const struct status *status);
/* Reads the members of a jansson object into `out`, which is overwritten. A member of a wrong type, negative or beyond
 * reason counts as not known; a filesystem without a mount point is left out. SP_ETOOBIG: too many filesystems;
 * SP_ENOMEM. */
int status_from_json(const struct json_t *object, struct status *out);

#endif
