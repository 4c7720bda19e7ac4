#include "sallyport/wire/socket_line.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int socket_line_read(int fd, uint8_t *line, size_t size, size_t *n) {
    while (*n < size) {
        /* Looked at first, so that no byte behind the line is taken. */
        ssize_t seen = recv(fd, line + *n, size - *n, MSG_PEEK);
        if (seen < 0 && errno == EINTR)
            continue;
        if (seen < 0)
            return errno == EAGAIN ? SP_EAGAIN : SP_ESYS;
        if (seen == 0)
            return SP_ECLOSED;
        const uint8_t *end = memchr(line + *n, '\n', (size_t)seen);
        size_t take = end ? (size_t)(end - (line + *n)) + 1 : (size_t)seen;
        ssize_t taken = recv(fd, line + *n, take, 0);
        if (taken < 0 && errno != EINTR)
            return SP_ESYS;
        if (taken > 0)
            *n += (size_t)taken;
        if (end && taken == (ssize_t)take)
            return 0;
    }
    return SP_ETOOBIG;
}
