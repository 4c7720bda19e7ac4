/* The services of a machine that its user may reach, as the relay tells them. */
#ifndef SALLYPORT_CLI_BOX_SERVICES_H
#define SALLYPORT_CLI_BOX_SERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli_local.h"
#include "sallyport/domain/service.h"

struct box_service {
    char name[SP_NAME_SIZE];
    enum service_kind kind;
    uint16_t port; /* on the machine */
    bool up;
    bool found;     /* recognised there, but not published */
    char path[128]; /* of its first page; "/" when it is not known */
};

struct box_services {
    bool online;
    struct box_service list[SERVICES_MAX];
    size_t count;
};

/* Asks the relay. SP_EDENIED: there is no such machine for us; SP_ECLOSED; SP_EFORMAT; with why. */
int box_services_get(const struct cli *cli, const char *box, struct box_services *out, struct why *why);
/* Reads what `status BOX --json` printed; services that make no sense are left out. SP_EFORMAT. */
int box_services_parse(const char *text, size_t len, struct box_services *out);

/* The service of that name, or NULL. */
const struct box_service *box_services_find(const struct box_services *services, const char *name);
/* The one that a person means who only names the machine: its first Jupyter, else NULL. */
const struct box_service *box_services_jupyter(const struct box_services *services);
/* Whether its sshd can be reached by us now. */
bool box_services_have_ssh(const struct box_services *services);

/* Asks for a machine and finds a service of it. Without it, or when it is not running: SP_ENOENT, with why. */
int box_services_pick(const struct cli *cli, const char *box, const char *name, struct box_services *services,
                      struct box_service *out, struct why *why);

#endif
