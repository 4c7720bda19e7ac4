/* How much a machine may say on its link before it is read more slowly: a bucket of lines that fills with time. */
#ifndef SALLYPORT_RELAY_LINK_BUDGET_H
#define SALLYPORT_RELAY_LINK_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LINK_BUDGET_LINES = 300,  /* that many at once ... */
    LINK_BUDGET_LINES_S = 50, /* ... and so many a second for ever; an agent says one or two */
    LINK_BUDGET_PIECE = 4096, /* each so many bytes of a line count as one line more */
    LINK_BUDGET_LOGGED = 50,  /* a line that goes to our log counts as so many */
    LINK_BUDGET_TELL_MS = 3600000,
};

struct link_budget {
    int64_t left;     /* thousandths of a line; below 0 when the last one was long */
    uint64_t filled;  /* when it was filled last */
    uint64_t held_at; /* when it was found empty last; 0: never */
    uint64_t told_at; /* when that was to be said last; 0: never */
};

/* All times are of CLOCK_MONOTONIC, in milliseconds, above 0. Begins full. */
void link_budget_init(struct link_budget *budget, uint64_t now);
/* May a line be handled now? */
bool link_budget_allows(struct link_budget *budget, uint64_t now);
/* A line of `len` bytes was handled; `logged`: it was written to the log, too. */
void link_budget_spend(struct link_budget *budget, size_t len, bool logged);
/* The machine is to wait. True when that is to be said in the log: the first time, and once an hour. */
bool link_budget_hold(struct link_budget *budget, uint64_t now);

#endif
