/* What the files of direct share. */
#ifndef SALLYPORT_AGENT_DIRECT_LOCAL_H
#define SALLYPORT_AGENT_DIRECT_LOCAL_H

#include <sys/socket.h>

#include "direct.h"
#include "door.h"
#include "fetch.h"
#include "lookup4.h"
#include "punch.h"
#include "reach.h"
#include "relay_clock.h"
#include "sshd_watch.h"

enum { DIRECT_TROUBLE_SIZE = 200 };

struct direct {
    struct direct_config config;
    char state[4096];
    char boot_id[64];
    struct agent_link *link;        /* NULL: none */
    struct sockaddr_storage relay;  /* as the link's connection has it; AF_UNSPEC: not known */
    struct sockaddr_storage relay4; /* its IPv4 address, if that is another; AF_UNSPEC: not known */
    struct lookup4 *lookup;
    struct relay_clock clock;
    bool clock_told;
    struct gate *gate;
    struct visits *visits;
    struct door *door; /* NULL: none, or not yet */
    struct loop_timer door_again;
    char door_trouble[DIRECT_TROUBLE_SIZE];
    struct reach *reach;
    struct sshd_watch *sshd;
    char host_key[1100];                    /* of the published sshd, when it was asked; else "" */
    char sshd_trouble[DIRECT_TROUBLE_SIZE]; /* why it must not be shown to the world */
    struct fetches *fetches;
    struct punches *punches;
};

/* This machine's clock against the relay's, in words; false: it is right, or not known. */
bool direct_clock_text(const struct direct *direct, char *to, size_t size);

#endif
