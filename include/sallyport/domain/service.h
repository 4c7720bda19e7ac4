/* A service: something on a machine that can be reached, by name, kind and port. */
#ifndef SALLYPORT_DOMAIN_SERVICE_H
#define SALLYPORT_DOMAIN_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/name.h"

struct json_t;

/* A machine publishes at most so many. */
#define SERVICES_MAX 64
/* Of a Jupyter's open notebooks so many are told by name. */
#define NOTEBOOKS_MAX 8
/* Counts beyond this make no sense. */
#define NOTEBOOK_COUNT_MAX 100000

enum service_kind { SERVICE_SSH, SERVICE_HTTP, SERVICE_TCP };

/* A notebook (or console) that a Jupyter has open. */
struct notebook {
    char name[96];   /* its file's name without the folder, cut off when longer */
    char kernel[32]; /* "python3"; "" when not known */
    bool busy;       /* a cell is running */
};

/* All zero: not known. */
struct notebooks {
    bool known;
    int64_t count; /* all that are open, 0..NOTEBOOK_COUNT_MAX */
    size_t listed; /* at most NOTEBOOKS_MAX */
    struct notebook list[NOTEBOOKS_MAX];
};

struct service {
    char name[SP_NAME_SIZE];
    enum service_kind kind;
    uint16_t port; /* on the machine */
    bool up;
    bool found;       /* it was recognised, but nobody said that it may be reached: only named, never forwarded */
    bool changeable;  /* found: it may be published from the relay; else: it was, and may be taken back there */
    char path[128];   /* of an http service: begins with '/', or "" when not known */
    char detail[128]; /* for people: "jupyter-server 1.23.3, /home/ann"; may be "" */
    char token[256];  /* of a Jupyter: secret, for the relay's proxy alone; "" when there is none */
    struct notebooks notebooks;
};

/* Wipes the tokens of a list from the heap, and frees it; NULL is allowed. */
void service_free_list(struct service *list, size_t n);

/* "up", "down", or "found": it was recognised, but is not published. */
const char *service_state_name(const struct service *service);
/* "ssh", "http", "tcp". */
const char *service_kind_name(enum service_kind kind);
/* 0, or SP_EINVAL for any other word. */
int service_kind_parse(const char *text, enum service_kind *out);
/* What a name alone says: `ssh` is ssh, `jupyter` and `jupyter-*` are http, all else tcp. */
enum service_kind service_kind_of_name(const char *name);

/* The service with that name, or NULL. */
const struct service *service_find(const struct service *list, size_t n, const char *name);
/* The service that `MACHINE:port` means, or NULL: 22 is always the one named `ssh`; any other port the one that has it;
 * 8888 else the first of kind http whose name begins with `jupyter`. */
const struct service *service_for_port(const struct service *list, size_t n, uint16_t port);

/* Can it stand in a header: visible ASCII without blanks, not empty, short enough for struct service? */
bool service_is_token(const char *text);
/* The same notebooks, in the same order and state? */
bool notebooks_equal(const struct notebooks *a, const struct notebooks *b);

/* A new jansson object (the caller's), or NULL when out of memory: what may be shown, so without the token. A path,
 * detail or notebook that is no clean text is left out. */
struct json_t *service_to_json(const struct service *service);
/* Reads a service's "notebook_count" and "notebooks" into *out; without a count that makes sense nothing is known.
 * Leaves out what is no clean text, and what is over NOTEBOOKS_MAX. */
void notebooks_from_json(const struct json_t *service, struct notebooks *out);

#endif
