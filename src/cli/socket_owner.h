/* Whose process is at the other end of a connection within this computer. */
#ifndef SALLYPORT_CLI_SOCKET_OWNER_H
#define SALLYPORT_CLI_SOCKET_OWNER_H

#include <stdbool.h>

/* Does the other end of this TCP connection over 127.0.0.1 belong to a process of our own user? Where the system has no
 * /proc/net/tcp it cannot be known, and this says yes. */
bool socket_owner_is_me(int fd);

#endif
