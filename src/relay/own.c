#include <ifaddrs.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "proof_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/base/work.h"

enum { OWN_MAX = 256, LOOKUP_AGAIN_MS = 10 * 60 * 1000 };

struct texts {
    char items[OWN_MAX][INET6_ADDRSTRLEN];
    size_t count;
};

/* The name's addresses, looked up on a thread, which has this for itself until it is done. */
struct lookup {
    struct own *own;
    char name[256];
    struct texts found;
};

struct own {
    struct work *work;
    struct loop_timer again;
    struct lookup *lookup; /* while it runs */
    char name[256];
    bool looked_up;
    struct texts of_name, all;
    const char *list[2 * OWN_MAX + 1];
};

static void texts_add(struct texts *texts, const struct sockaddr *address) {
    struct sockaddr_storage copy = {0};
    if (!address || texts->count == OWN_MAX || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
        return;
    memcpy(&copy, address, address->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    os_address_text(&copy, texts->items[texts->count++]);
}

static void lookup_run(void *ctx) {
    struct lookup *lookup = ctx;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(lookup->name, NULL, &hints, &found) != 0)
        return;
    for (const struct addrinfo *at = found; at; at = at->ai_next)
        texts_add(&lookup->found, at->ai_addr);
    freeaddrinfo(found);
}

static void lookup_drop(void *ctx) {
    free(ctx);
}

static void lookup_done(void *ctx) {
    struct lookup *lookup = ctx;
    struct own *own = lookup->own;
    own->looked_up = true;
    own->lookup = NULL;
    if (lookup->found.count) /* a name server that is away for a while has told us before */
        own->of_name = lookup->found;
    free(lookup);
}

static void own_look_up(void *ctx) {
    struct own *own = ctx;
    struct lookup *lookup = own->lookup ? NULL : calloc(1, sizeof *lookup);
    (void)loop_timer_set(&own->again, LOOKUP_AGAIN_MS);
    if (!lookup)
        return;
    lookup->own = own;
    (void)str_copy(lookup->name, sizeof lookup->name, own->name);
    if (work_submit(own->work, lookup_run, lookup_done, lookup_drop, lookup) < 0)
        free(lookup);
    else
        own->lookup = lookup;
}

int own_new(struct loop *loop, const char *name, struct own **out) {
    struct own *own = calloc(1, sizeof *own);
    if (!own)
        return SP_ENOMEM;
    loop_timer_init(loop, &own->again, own_look_up, own);
    int rc = str_copy(own->name, sizeof own->name, name);
    if (rc == 0)
        rc = work_new(loop, 1, &own->work);
    if (rc < 0) {
        own_free(own);
        return rc;
    }
    /* From the loop, as all that starts a thread: the relay is sealed by then (sealed.h). */
    rc = loop_timer_set(&own->again, 0);
    if (rc < 0) {
        own_free(own);
        return rc;
    }
    *out = own;
    return 0;
}

void own_free(struct own *own) {
    if (!own)
        return;
    loop_timer_stop(&own->again);
    work_free(own->work);
    free(own);
}

const char *const *own_list(struct own *own) {
    struct ifaddrs *interfaces;
    size_t n = 0;
    if (!own->looked_up || getifaddrs(&interfaces) < 0)
        return NULL;
    own->all.count = 0;
    for (const struct ifaddrs *at = interfaces; at; at = at->ifa_next)
        texts_add(&own->all, at->ifa_addr);
    freeifaddrs(interfaces);
    if (own->all.count == OWN_MAX)
        return NULL;
    for (size_t i = 0; i < own->all.count; i++)
        own->list[n++] = own->all.items[i];
    for (size_t i = 0; i < own->of_name.count; i++)
        own->list[n++] = own->of_name.items[i];
    own->list[n] = NULL;
    return own->list;
}
