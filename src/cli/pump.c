#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/base/err.h"

enum { ROOM = 128 * 1024 };

/* One direction. */
struct lane {
    int from, to;
    uint8_t *bytes; /* ROOM */
    size_t begin, end;
    bool ended; /* nothing more comes from there */
    bool done;  /* and all of it was passed on */
};

static void lane_read(struct lane *lane) {
    ssize_t n = read(lane->from, lane->bytes, ROOM);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    lane->begin = 0;
    lane->end = n > 0 ? (size_t)n : 0;
    lane->ended = n <= 0;
}

/* False when the other side takes nothing any more. */
static bool lane_write(struct lane *lane) {
    ssize_t n = write(lane->to, lane->bytes + lane->begin, lane->end - lane->begin);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    lane->begin += (size_t)n;
    return true;
}

/* The end is passed on: by shutdown for what is a socket, by closing for what is none. */
static void lane_finish(struct lane *lane) {
    lane->done = true;
    if (shutdown(lane->to, SHUT_WR) && errno == ENOTSOCK)
        (void)close(lane->to);
}

static bool lane_step(struct lane *lane, short from, short to) {
    if (lane->done)
        return true;
    if (lane->begin == lane->end && !lane->ended && from)
        lane_read(lane);
    if (lane->begin < lane->end && (to || from) && !lane_write(lane))
        return false;
    if (lane->begin == lane->end && lane->ended)
        lane_finish(lane);
    return true;
}

static void lane_wait(const struct lane *lane, struct pollfd set[static 2]) {
    bool full = lane->begin < lane->end;
    set[0] = (struct pollfd){.fd = lane->done || full || lane->ended ? -1 : lane->from, .events = POLLIN};
    set[1] = (struct pollfd){.fd = lane->done || !full ? -1 : lane->to, .events = POLLOUT};
}

static int pump_loop(struct lane *out, struct lane *in) {
    while (!out->done || !in->done) {
        struct pollfd set[4];
        lane_wait(out, set);
        lane_wait(in, set + 2);
        if (poll(set, 4, -1) < 0 && errno != EINTR)
            return SP_ESYS;
        if (!lane_step(in, set[2].revents, set[3].revents) || !lane_step(out, set[0].revents, set[1].revents))
            return 0;
    }
    return 0;
}

/* A terminal is shared with the shell, so it stays as it is; it takes what is written soon enough. */
static int no_waiting(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || isatty(fd))
        return -1;
    (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    return flags;
}

int pump_run(int fd) {
    uint8_t *room = malloc(2 * (size_t)ROOM);
    if (!room)
        return SP_ENOMEM;
    int in_flags = no_waiting(STDIN_FILENO), out_flags = no_waiting(STDOUT_FILENO);
    struct lane out = {.from = STDIN_FILENO, .to = fd, .bytes = room};
    struct lane in = {.from = fd, .to = STDOUT_FILENO, .bytes = room + ROOM};
    (void)no_waiting(fd);
    int rc = pump_loop(&out, &in);
    if (in_flags >= 0)
        (void)fcntl(STDIN_FILENO, F_SETFL, in_flags);
    if (out_flags >= 0)
        (void)fcntl(STDOUT_FILENO, F_SETFL, out_flags);
    free(room);
    return rc;
}
