/* A long wire, for kernels without netem: two Ethernet interfaces, each in a network namespace of its own; what goes in at
 * one end comes out at the other some milliseconds later.
 *
 *   delay_link MILLISECONDS NAMESPACE1 NAME1 NAMESPACE2 NAME2
 *
 * MILLISECONDS are those of one way (up to 10000, parts allowed: 0.5). A namespace is a name of `ip netns`, a path, or
 * `-` for the one that the program is in. The interfaces are made by it, up and without addresses, and are gone when it
 * ends. It says `ready` and runs until it is killed. Each direction holds at most QUEUE_FRAMES: what comes when that is
 * full is lost, as on a real wire. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { QUEUE_FRAMES = 8192, FRAME_MAX = 2048, BATCH = 64 };

#define NS_PER_MS 1000000
#define NS_PER_S INT64_C(1000000000)

struct frame {
    int64_t due; /* ns */
    uint16_t len;
    uint8_t bytes[FRAME_MAX];
};

struct direction {
    int from, to; /* descriptors of the interfaces */
    struct frame *frames;
    size_t first, count; /* a ring; all wait equally long, so the first is always due first */
};

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int enter(const char *name) {
    char path[256];
    snprintf(path, sizeof path, strchr(name, '/') != NULL ? "%s" : "/run/netns/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) {
        fprintf(stderr, "delay_link: %s: %s\n", path, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    close(fd);
    return 0;
}

static int set_up(const char *name) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    struct ifreq ifr = {.ifr_flags = IFF_UP};
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
    int rc = ioctl(fd, SIOCSIFFLAGS, &ifr);
    close(fd);
    return rc;
}

/* One end of the wire in the namespace that we are in; its descriptor, or -1. */
static int tap(const char *name) {
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) != 0 || set_up(name) != 0) {
        fprintf(stderr, "delay_link: interface %s: %s\n", name, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

static int tap_in(int home, const char *namespace, const char *name) {
    if (setns(home, CLONE_NEWNET) != 0) {
        perror("delay_link: setns");
        return -1;
    }
    return strcmp(namespace, "-") != 0 && enter(namespace) != 0 ? -1 : tap(name);
}

/* Takes what has come, until there is no more or a batch is full. False: the interface is gone. */
static bool take(struct direction *d, int64_t delay) {
    for (int n = 0; n < BATCH; n++) {
        uint8_t lost[FRAME_MAX];
        bool room = d->count < QUEUE_FRAMES;
        struct frame *frame = &d->frames[(d->first + d->count) % QUEUE_FRAMES];
        ssize_t len = read(d->from, room ? frame->bytes : lost, FRAME_MAX);
        if (len <= 0) {
            return len < 0 && (errno == EAGAIN || errno == EINTR);
        }
        if (room) {
            frame->len = (uint16_t)len;
            frame->due = now_ns() + delay;
            d->count++;
        }
    }
    return true;
}

/* Hands out what is due. What the interface does not take (it is down, or full) is lost. */
static void hand_out(struct direction *d) {
    int64_t now = now_ns();
    while (d->count > 0 && d->frames[d->first].due <= now) {
        const struct frame *frame = &d->frames[d->first];
        ssize_t written = write(d->to, frame->bytes, frame->len);
        (void)written;
        d->first = (d->first + 1) % QUEUE_FRAMES;
        d->count--;
    }
}

static int64_t wait_ns(const struct direction *d, int64_t now, int64_t most) {
    if (d->count == 0) {
        return most;
    }
    int64_t left = d->frames[d->first].due - now;
    return left < 0 ? 0 : left < most ? left : most;
}

static int carry(struct direction d[static 2], int64_t delay) {
    for (;;) {
        int64_t now = now_ns(), left = wait_ns(&d[1], now, wait_ns(&d[0], now, NS_PER_S));
        struct timespec timeout = {.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
        struct pollfd fds[2] = {{.fd = d[0].from, .events = POLLIN}, {.fd = d[1].from, .events = POLLIN}};
        if (ppoll(fds, 2, &timeout, NULL) < 0 && errno != EINTR) {
            perror("delay_link: ppoll");
            return 1;
        }
        for (int n = 0; n < 2; n++) {
            if (fds[n].revents != 0 && !take(&d[n], delay)) {
                perror("delay_link: an end is gone");
                return 1;
            }
            hand_out(&d[n]);
        }
    }
}

int main(int argc, char **argv) {
    char *end = NULL;
    double ms = argc == 6 ? strtod(argv[1], &end) : -1;
    if (argc != 6 || end == argv[1] || *end != '\0' || !(ms >= 0 && ms <= 10000)) {
        fputs("usage: delay_link MILLISECONDS NAMESPACE1 NAME1 NAMESPACE2 NAME2\n", stderr);
        return 2;
    }
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int a = home >= 0 ? tap_in(home, argv[2], argv[3]) : -1;
    int b = a >= 0 ? tap_in(home, argv[4], argv[5]) : -1;
    struct direction directions[2] = {{.from = a, .to = b}, {.from = b, .to = a}};
    int rc = 1;
    for (int n = 0; n < 2; n++) {
        directions[n].frames = calloc(QUEUE_FRAMES, sizeof *directions[n].frames);
    }
    if (b >= 0 && directions[0].frames != NULL && directions[1].frames != NULL) {
        puts("ready");
        fflush(stdout);
        rc = carry(directions, (int64_t)(ms * NS_PER_MS));
    }
    free(directions[0].frames);
    free(directions[1].frames);
    for (int n = 0; n < 3; n++) {
        int fd = (const int[]){home, a, b}[n];
        if (fd >= 0) {
            close(fd);
        }
    }
    return rc;
}
