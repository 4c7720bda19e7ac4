#include "lookup4.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

struct lookup4 {
    char host[256], port[8];
    struct sockaddr_in address; /* the thread's until it is done; port 0: none was found */
    bool running, abandoned;    /* the loop's */
    void (*found)(void *ctx, const struct sockaddr_in *address);
    void *ctx;
};

static void lookup_run(void *ctx) {
    struct lookup4 *lookup = ctx;
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
    if (getaddrinfo(lookup->host, lookup->port, &hints, &list) != 0)
        return;
    if (list->ai_addrlen == sizeof lookup->address)
        memcpy(&lookup->address, list->ai_addr, sizeof lookup->address);
    freeaddrinfo(list);
}

static void lookup_done(void *ctx) {
    struct lookup4 *lookup = ctx;
    lookup->running = false;
    if (lookup->abandoned)
        free(lookup);
    else if (lookup->address.sin_port)
        lookup->found(lookup->ctx, &lookup->address);
}

/* The threads end: whoever waits is told nothing, and frees it himself unless he has given it up. */
static void lookup_drop(void *ctx) {
    struct lookup4 *lookup = ctx;
    lookup->running = false;
    if (lookup->abandoned)
        free(lookup);
}

int lookup4_new(struct work *work, const char *host, uint16_t port,
                void (*found)(void *ctx, const struct sockaddr_in *address), void *ctx, struct lookup4 **out) {
    struct lookup4 *lookup = calloc(1, sizeof *lookup);
    if (!lookup)
        return SP_ENOMEM;
    lookup->found = found;
    lookup->ctx = ctx;
    (void)snprintf(lookup->port, sizeof lookup->port, "%u", port);
    int rc = str_copy(lookup->host, sizeof lookup->host, host);
    if (rc == 0)
        rc = work_submit(work, lookup_run, lookup_done, lookup_drop, lookup);
    if (rc < 0) {
        free(lookup);
        return rc;
    }
    lookup->running = true;
    *out = lookup;
    return 0;
}

void lookup4_free(struct lookup4 *lookup) {
    if (!lookup)
        return;
    if (lookup->running)
        lookup->abandoned = true;
    else
        free(lookup);
}
