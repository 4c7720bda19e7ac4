/* What the operating system gives: folders, files, clocks, limits, paths. */
#ifndef SALLYPORT_BASE_OS_H
#define SALLYPORT_BASE_OS_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"

/* Makes `path` (and missing parents) with mode 0700, or accepts one that is there if it is a folder of ours (or
 * root's own when we are root), not open to group or others, and writable. Else SP_EINVAL, SP_EDENIED or SP_ESYS with
 * the remedy in why. */
int os_state_dir(const char *path, struct why *why);
/* Takes the folder's lock file `lock` for the life of the process; *fd is to be closed at the end. SP_EBUSY with the
 * pid that holds it in why. */
int os_lock_dir(const char *path, int *fd, struct why *why);

/* Reads at most max bytes; a longer file is SP_ETOOBIG. SP_ESYS with errno. `out` is appended to. */
int os_read_file(const char *path, size_t max, struct buf *out);
/* Through a temporary file in the same folder, fsync and rename: a reader sees the old or the new one, whole. */
int os_write_file(const char *path, const void *bytes, size_t n, mode_t mode);

/* "DIR/NAME"; SP_ETOOBIG when it does not fit. */
int os_path(char *to, size_t size, const char *dir, const char *name);
/* Where state or configuration lives when nothing was said: as root /var/lib/sallyport-ROLE and
 * /etc/sallyport/ROLE.ini; as an ordinary user $XDG_STATE_HOME (~/.local/state) and $XDG_CONFIG_HOME (~/.config),
 * in sallyport-ROLE and sallyport/ROLE.ini. $STATE_DIRECTORY (systemd) wins over both for state. */
int os_default_state(char *to, size_t size, const char *role);
int os_default_config(char *to, size_t size, const char *role);

int64_t os_realtime_s(void);    /* UTC seconds */
uint64_t os_monotonic_ms(void); /* stops while the machine sleeps */
uint64_t os_boottime_ms(void);  /* goes on while it sleeps */
/* Raises the soft limit of open descriptors to the hard one and returns it. */
unsigned os_raise_nofile(void);
/* A new AF_UNIX stream pair, both ends non-blocking and close-on-exec. 0 or SP_ESYS. */
int os_socket_pair(int fds[static 2]);
int os_nonblocking(int fd);

/* The address in figures, without its port: "198.51.100.7", "2001:db8::1"; "unknown" for what is neither IPv4 nor IPv6. */
void os_address_text(const struct sockaddr_storage *address, char to[static INET6_ADDRSTRLEN]);

#endif
