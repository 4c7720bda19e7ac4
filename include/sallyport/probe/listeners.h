/* The TCP sockets that listen on this machine, as the kernel lists them. */
#ifndef SALLYPORT_PROBE_LISTENERS_H
#define SALLYPORT_PROBE_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum listen_class {
    LISTEN_LOOPBACK, /* 127.0.0.0/8 or ::1 */
    LISTEN_ANY,      /* 0.0.0.0 or :: */
    LISTEN_OTHER,    /* one address of the machine */
};

struct listener {
    uint64_t inode; /* of the socket: another one on the same port has another */
    uid_t uid;      /* who opened it */
    uint16_t port;
    uint8_t family;        /* 4 or 6; an IPv4 address mapped into IPv6 is 4 */
    uint8_t address_class; /* enum listen_class */
    uint8_t address[16];   /* network order, the first 4 bytes for IPv4 */
};

/* Sorted by port, family, address, inode; so two rounds compare by their bytes. */
struct listeners {
    struct listener *items; /* owned */
    size_t count;
    size_t cap;
};

/* Rows beyond this are not looked at. */
#define LISTENERS_MAX 4096
/* Room for an address in text: INET6_ADDRSTRLEN. */
#define LISTENER_HOST_SIZE 46

void listeners_init(struct listeners *listeners);
void listeners_fini(struct listeners *listeners);

/* Appends the listening rows among the whole lines of /proc/net/tcp or tcp6; `family` (4 or 6) says of which. *used is
 * how many bytes were looked at. *ended becomes true at the first row of another state: the kernel lists those that
 * listen first, and a busy machine has thousands of others. Rows that make no sense are passed over. 0 or SP_ENOMEM. */
int listeners_parse(struct listeners *listeners, const char *text, size_t len, int family, size_t *used, bool *ended);

/* Lists them anew and sorts: by netlink, or from root/proc/net/tcp and tcp6 when there is a root or netlink is closed to
 * us. 0, SP_ESYS when there is neither, SP_ENOMEM; unchanged on failure. */
int listeners_read(struct listeners *listeners, const char *root);

bool listeners_equal(const struct listeners *a, const struct listeners *b);

/* The one to dial for a port: IPv4 before IPv6, the loopback's or any before an address of its own. Or NULL. */
const struct listener *listeners_find(const struct listeners *listeners, uint16_t port);

/* The address to dial, as text: 127.0.0.1 for 0.0.0.0 too, ::1 for :: too, else its own. */
void listener_host(const struct listener *listener, char to[static LISTENER_HOST_SIZE]);

#endif
