/* Finds the Jupyter servers of the machine, by the files they leave for their users and by asking listening ports. */
#ifndef SALLYPORT_PROBE_JUPYTER_H
#define SALLYPORT_PROBE_JUPYTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sallyport/base/loop.h"
#include "sallyport/domain/service.h"
#include "sallyport/probe/listeners.h"

struct jupyter_server {
    struct listener listener;
    pid_t pid;          /* 0 when not known: found by its socket */
    bool secure;        /* speaks TLS */
    bool notebook;      /* the classic notebook server, not jupyter-server; only known from a runtime file */
    int64_t started;    /* seconds of UTC: when its runtime file was written; 0 when there is none */
    char base_url[128]; /* begins and ends with '/' */
    char version[32];   /* empty when not known: classic notebooks do not write it down */
    char root_dir[256]; /* empty when not known or too long */
    char token[256];    /* secret; empty when not known */
};

/* Reads a runtime file (jpserver-PID.json, nbserver-PID.json): sets pid, secure, base_url, version, root_dir, token and
 * the listener's port, and leaves the rest of *out zero. SP_EFORMAT for anything that is not such a file. The caller
 * wipes *out. */
int jupyter_parse_runtime(const char *text, size_t len, struct jupyter_server *out);

/* Is this HTTP response Jupyter's answer to `GET /api`: status 200 and a JSON object with a version? 0 or SP_EFORMAT. */
int jupyter_parse_api(const char *answer, size_t len, char version[static 32]);

/* Is this response one of a Jupyter that lives below another path, as it gives for any path outside (status 404)? Its
 * Content-Security-Policy names that path: 0 and the path with '/' at both ends, or SP_EFORMAT. */
int jupyter_parse_elsewhere(const char *answer, size_t len, char *base_url, size_t size);

/* The kernels of a server, and whose they are; more are not known. */
#define JUPYTER_KERNELS_MAX 64
struct jupyter_kernel {
    char id[37]; /* a UUID */
    char
        path[192]; /* of its notebook, seen from the server's folder, or the name of its console; cut off when longer */
};
struct jupyter_kernels {
    struct jupyter_kernel items[JUPYTER_KERNELS_MAX];
    size_t count;
};

/* Reads the answer to `GET /api/sessions`: how many are open, the first of them by name, and, unless NULL, their kernels.
 * 0; SP_EDENIED when the server refuses or has no such thing (status 3xx, 4xx), so that there is no use in asking again;
 * SP_EFORMAT for anything else, also for an answer that was cut off. */
int jupyter_parse_sessions(const char *answer, size_t len, struct notebooks *out, struct jupyter_kernels *kernels);

/* Where the servers of this process's own user leave their files: JUPYTER_RUNTIME_DIR, JUPYTER_DATA_DIR, XDG_DATA_HOME
 * and HOME say. 0, SP_ENOENT when none is set, SP_ETOOBIG. */
int jupyter_runtime_dir(char *to, size_t size);

/* The search. Runtime files of our own user and, as root, of every user who has a listening socket; then `GET /api` to
 * the ports from 1024 up on the loopback that are not known yet: 64 at once, 300 ms each. A silent one is asked again
 * a few times, one that said something else not until it closes. */
struct jupyter_finder;

/* `settled` is called from the loop when a look that had to ask ports is over. 0 or SP_ENOMEM. */
int jupyter_finder_new(struct loop *loop, const char *root, void (*settled)(void *ctx), void *ctx,
                       struct jupyter_finder **out);
/* Wipes the tokens. */
void jupyter_finder_free(struct jupyter_finder *finder);

/* A round, to be called every few seconds with the listeners of now; cheap when nothing changed. The `skip` ports are
 * never asked. 0 or SP_ENOMEM. Does nothing while busy. */
int jupyter_finder_look(struct jupyter_finder *finder, const struct listeners *listeners, const uint16_t *skip,
                        size_t skip_count);
bool jupyter_finder_busy(const struct jupyter_finder *finder);
/* Did this socket answer with HTTP, but not as a Jupyter? Then something else may be worth recognising there. */
bool jupyter_finder_heard_http(const struct jupyter_finder *finder, const struct listener *listener);
/* Those found, sorted by port; valid until the next look or `settled`. */
const struct jupyter_server *jupyter_finder_list(const struct jupyter_finder *finder, size_t *count);

#endif
