/* A connected socket as a stream. */
#ifndef SALLYPORT_WIRE_SOCKET_STREAM_H
#define SALLYPORT_WIRE_SOCKET_STREAM_H

#include "sallyport/base/loop.h"
#include "sallyport/wire/stream.h"

/* Takes over a non-blocking socket that is connected or connecting; closes it in the end. Nothing is reported before
 * the first stream_resume. A connect that fails is a `closed`. After stream close, a socket that still has bytes coming
 * is read empty for up to 5 s, so that the peer gets what was written before and not a reset.
 * SP_ENOMEM, SP_ESYS: the fd is closed. */
int socket_stream_new(struct loop *loop, int fd, struct stream **out);

#endif
