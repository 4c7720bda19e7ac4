/* Sockets that are being connected: addresses in figures, the relay by its name, several addresses one shortly after
 * the other (RFC 8305). */
#ifndef SALLYPORT_CLI_NET_H
#define SALLYPORT_CLI_NET_H

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "sallyport/base/err.h"

struct net_address {
    struct sockaddr_storage at;
    socklen_t len;
};

/* SP_EFORMAT when it is no address in figures. */
int net_parse(const char *text, uint16_t port, struct net_address *out);
/* The first address of that family that a host has; takes its time. SP_ENOENT. */
int net_lookup(const char *host, uint16_t port, int family, struct net_address *out);
/* Our own address towards that one; nothing is sent. SP_ESYS: there is no way there. */
int net_own_address(const struct net_address *to, char text[static INET6_ADDRSTRLEN]);

/* A non-blocking, close-on-exec TCP socket with TCP_NODELAY and keepalive. SP_ESYS. */
int net_socket(int family, int *fd);
/* Begins to connect. 0, or SP_ESYS with errno: then *fd is untouched. */
int net_connect(const struct net_address *to, int *fd);
/* SP_EAGAIN: still under way; 0; SP_ESYS with errno: why it failed. */
int net_connected(int fd);
/* Was the connection ended, or did unexpected bytes come? */
bool net_is_stale(int fd);
/* Closes and forgets; -1 is allowed. errno is kept. */
void net_close(int *fd);

/* What a step waits for. */
struct net_waits {
    struct pollfd fds[32];
    size_t count;
    uint64_t until; /* os_monotonic_ms */
};
void net_waits_init(struct net_waits *waits, uint64_t until);
void net_wait_fd(struct net_waits *waits, int fd, short events);
void net_wait_until(struct net_waits *waits, uint64_t when);
/* Sleeps until something happens there, or it is time. */
void net_wait(struct net_waits *waits);

/* A connection to a host by name. */
enum { DIALER_MAX = 8, DIALER_MS = 10000, DIALER_NEXT_MS = 250 };
struct dialer {
    int lookup;   /* what the child that looks the name up has found comes here; -1: it has come */
    pid_t helper; /* that child; 0: there is none */
    struct net_address list[DIALER_MAX];
    size_t count, begun;
    int fds[DIALER_MAX];
    uint64_t next_at, until;
    int error;        /* errno of the last failure; 0: none yet */
    int lookup_error; /* of getaddrinfo */
};

/* `hint`: an address in figures to be tried at once, while the name is looked up; "" for none. Never fails: what goes
 * wrong shows in the steps. */
void dialer_init(struct dialer *dialer, const char *host, uint16_t port, const char *hint);
void dialer_fini(struct dialer *dialer);
/* 0: *fd is connected, and the caller's, to *address; SP_EAGAIN: wait; SP_ENOENT: no such name; SP_ECLOSED, SP_ETIMEOUT:
 * no connection. */
int dialer_step(struct dialer *dialer, int *fd, struct net_address *address);
void dialer_wait(const struct dialer *dialer, struct net_waits *waits);
/* The reason for people, after a failure. */
const char *dialer_reason(const struct dialer *dialer);

#endif
