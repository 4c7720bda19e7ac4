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

enum service_kind { SERVICE_SSH, SERVICE_HTTP, SERVICE_TCP };

struct service {
    char name[SP_NAME_SIZE];
    enum service_kind kind;
    uint16_t port; /* on the machine */
    bool up;
    char path[128];   /* of an http service: begins with '/', or "" when not known */
    char detail[128]; /* for people: "jupyter-server 1.23.3, /home/ann"; may be "" */
};

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

/* A new jansson object (the caller's), or NULL when out of memory. A path or detail that is no clean text is left
 * out. */
struct json_t *service_to_json(const struct service *service);

#endif
