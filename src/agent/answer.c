#include "answer.h"

#include <sys/socket.h>

#include "sallyport/base/buf.h"
#include "sallyport/wire/door.h"
#include "sallyport/wire/socket_stream.h"

static int answer_say(int fd, bool ok, const char *text) {
    struct buf line;
    buf_init(&line);
    int rc = door_answer_format(&line, ok, text);
    /* So little fits into the empty buffer of a socket, or the peer does not read. */
    if (rc == 0 && send(fd, buf_head(&line), buf_len(&line), MSG_NOSIGNAL) != (ssize_t)buf_len(&line))
        rc = SP_ECLOSED;
    buf_fini(&line);
    return rc;
}

int answer_ok(int fd, const char *text) {
    return answer_say(fd, true, text);
}

void answer_no(struct loop *loop, int fd, const char *reason) {
    (void)answer_say(fd, false, reason);
    answer_close(loop, fd);
}

void answer_close(struct loop *loop, int fd) {
    struct stream *stream;
    if (socket_stream_new(loop, fd, &stream) == 0)
        stream->ops->close(stream);
}
