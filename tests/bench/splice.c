/* Raw bytes through a splice: one half is a small front with wire/splice, which can stand beside another program's; the
 * other half drives bytes through any front and tells how long it took.
 *   bench_splice front PORT TARGET     listens on 127.0.0.1:PORT and joins each connection with one to 127.0.0.1:TARGET
 *   bench_splice flow PORT SINK BYTES  listens on SINK, sends BYTES to PORT, prints the nanoseconds until all arrived */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sallyport/wire/splice.h"

enum { PIECE = 1 << 18 };

struct front {
    struct loop *loop;
    struct loop_fd socket;
    uint16_t target;
};

static void die(const char *what) {
    perror(what);
    exit(1);
}

static struct sockaddr_in loopback(uint16_t port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

static int listen_at(uint16_t port, int flags) {
    struct sockaddr_in address = loopback(port);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 16) < 0)
        die("listen");
    return fd;
}

static int connect_to(uint16_t port, int flags) {
    struct sockaddr_in address = loopback(port);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0 || (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS))
        die("connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void joined_over(void *ctx) {
    (void)ctx;
}

static void front_ready(void *ctx, uint32_t events) {
    struct front *front = ctx;
    struct splice *unused;
    (void)events;
    int from = accept4(front->socket.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (from < 0)
        return;
    if (splice_new(front->loop, from, connect_to(front->target, SOCK_NONBLOCK), joined_over, NULL, &unused) < 0)
        die("splice_new");
}

static int run_front(uint16_t port, uint16_t target) {
    struct front front = {.target = target};
    loop_fd_init(&front.socket);
    if (loop_new(&front.loop) < 0 ||
        loop_fd_add(front.loop, &front.socket, listen_at(port, SOCK_NONBLOCK), EPOLLIN, front_ready, &front) < 0)
        die("loop");
    (void)puts("ready");
    (void)fflush(stdout);
    return loop_run(front.loop) < 0;
}

static long long now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void send_all(uint16_t port, long long bytes) {
    static char piece[PIECE];
    int fd = connect_to(port, 0);
    while (bytes > 0) {
        ssize_t n = write(fd, piece, bytes < PIECE ? (size_t)bytes : PIECE);
        if (n <= 0)
            die("write");
        bytes -= n;
    }
    (void)close(fd);
    exit(0);
}

static int run_flow(uint16_t port, uint16_t sink, long long bytes) {
    static char piece[PIECE];
    int listening = listen_at(sink, 0);
    long long began = now_ns(), got = 0;
    pid_t sender = fork();
    if (sender < 0)
        die("fork");
    if (sender == 0)
        send_all(port, bytes);
    int fd = accept(listening, NULL, NULL);
    for (ssize_t n; fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0;)
        got += n;
    long long took = now_ns() - began;
    int status = 1;
    if (waitpid(sender, &status, 0) < 0 || status != 0 || got != bytes) {
        (void)fprintf(stderr, "%lld of %lld bytes arrived\n", got, bytes);
        return 1;
    }
    (void)printf("%lld\n", took);
    return 0;
}

static long long number(const char *text) {
    char *end;
    long long value = strtoll(text, &end, 10);
    if (*end || value <= 0)
        die(text);
    return value;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "front") == 0)
        return run_front((uint16_t)number(argv[2]), (uint16_t)number(argv[3]));
    if (argc == 5 && strcmp(argv[1], "flow") == 0)
        return run_flow((uint16_t)number(argv[2]), (uint16_t)number(argv[3]), number(argv[4]));
    (void)fprintf(stderr, "bench_splice front PORT TARGET | flow PORT SINK BYTES\n");
    return 2;
}
