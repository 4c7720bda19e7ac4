/* What the client remembers of ways: which one worked for a machine on a network, and where none did. */
#ifndef SALLYPORT_CLI_MEMORY_H
#define SALLYPORT_CLI_MEMORY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "sallyport/domain/ask.h"
#include "sallyport/domain/route.h"

enum { MEMORY_FAILED_MAX = 4, MEMORY_FAILED_S = 600 /* a way that failed is not waited for so long */ };

struct memory_failed {
    char address[INET6_ADDRSTRLEN];
    uint16_t port;
    int64_t at;
};

struct memory_entry {
    char network[INET6_ADDRSTRLEN]; /* our own address towards the relay */
    char box[SP_NAME_SIZE], service[SP_NAME_SIZE];
    enum route route;      /* ROUTE_NONE: nothing is remembered */
    struct answer_way way; /* the door that worked; port 0: none is remembered */
    char knock[23];
    int64_t used; /* UTC seconds */
    struct memory_failed failed[MEMORY_FAILED_MAX];
    size_t failed_count;
    int64_t punch_failed; /* UTC seconds; 0: never */
};

/* All that is remembered; never fails but for memory: what cannot be read was never there. */
struct memory;
int memory_load(const char *state, struct memory **out);
void memory_free(struct memory *memory); /* NULL is allowed */

/* Where the relay was found last; "" when not known. */
const char *memory_relay(const struct memory *memory);
/* Fills in all of it; what is not remembered is zero. */
void memory_find(const struct memory *memory, const char *network, const char *box, const char *service,
                 struct memory_entry *out);

/* Did nothing answer there within the last minutes? */
bool memory_has_failed(const struct memory_entry *entry, const struct answer_way *way, int64_t now);
/* Notes or forgets that; the oldest gives way. */
void memory_note_failed(struct memory_entry *entry, const struct answer_way *way, int64_t now);
void memory_clear_failed(struct memory_entry *entry, const struct answer_way *way);

/* Puts the entry in the place of the one for the same network, box and service, and keeps the relay's address. */
int memory_save(const char *state, const struct memory_entry *entry, const char *relay_address);

/* The same address, port and kind of door? */
bool way_same(const struct answer_way *a, const struct answer_way *b);

#endif
