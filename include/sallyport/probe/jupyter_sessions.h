/* Watches which notebooks are open in the machine's Jupyter servers, by asking them every few seconds. */
#ifndef SALLYPORT_PROBE_JUPYTER_SESSIONS_H
#define SALLYPORT_PROBE_JUPYTER_SESSIONS_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/loop.h"
#include "sallyport/domain/service.h"
#include "sallyport/probe/listeners.h"

/* Where one server is asked. It is another server when any of this is another. */
struct jupyter_place {
    uint64_t inode; /* of its socket */
    uint16_t port;
    char host[LISTENER_HOST_SIZE]; /* the address to dial, in figures */
    char base_url[128];            /* begins and ends with '/' */
    char token[256];               /* secret; "": asked without */
};

/* More than that are not watched. */
#define JUPYTER_WATCHED_MAX 64

struct jupyter_sessions;

/* `round_ms` is how often each is asked. `changed` is called from the loop, once all answers of a round are there, when
 * they are other than before. 0 or SP_ENOMEM. */
int jupyter_sessions_new(struct loop *loop, uint64_t round_ms, void (*changed)(void *ctx), void *ctx,
                         struct jupyter_sessions **out);
/* Wipes the tokens; NULL is allowed. */
void jupyter_sessions_free(struct jupyter_sessions *sessions);

/* Watches just these from now on, ports distinct: new ones are asked at once. A server that refuses to answer is
 * left alone, for each refusal is a line in its log; one that is silent a few times is no longer
 * known. The questions do not count as activity, so a server that ends when nobody uses it still does. 0 or SP_ENOMEM:
 * some may not be watched then. */
int jupyter_sessions_follow(struct jupyter_sessions *sessions, const struct jupyter_place *places, size_t count);

/* What is open in the server on that port; NULL when not known. Valid until the loop turns. */
const struct notebooks *jupyter_sessions_find(const struct jupyter_sessions *sessions, uint16_t port);
/* The path of the notebook (or the name of the console) whose kernel has that id; NULL when not known. Valid until the loop
 * turns. */
const char *jupyter_sessions_path(const struct jupyter_sessions *sessions, const char *kernel);

#endif
