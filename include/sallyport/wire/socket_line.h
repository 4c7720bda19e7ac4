/* Takes one line from a socket, and not a byte beyond its end: what follows belongs to somebody else. */
#ifndef SALLYPORT_WIRE_SOCKET_LINE_H
#define SALLYPORT_WIRE_SOCKET_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/err.h"

/* Takes what is there of a line from a non-blocking stream socket and puts it behind the *n bytes that `line` has
 * already; *n grows. 0: the line is whole, its \n is its last byte; SP_EAGAIN: more is to come; SP_ETOOBIG: there is no
 * \n within `size` bytes; SP_ECLOSED: the peer has ended; SP_ESYS. */
int socket_line_read(int fd, uint8_t *line, size_t size, size_t *n);

#endif
