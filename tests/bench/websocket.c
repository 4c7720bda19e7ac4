/* The two ends of a WebSocket (RFC 6455) for scripts/bench: what is between them is measured.
 *
 *   websocket echo PATH                         listens on a Unix socket and sends back what comes; says `ready`
 *   websocket ping PORT HOST PATH COOKIE COUNT  by TLS to 127.0.0.1; a line for each round trip of 64 bytes, in ns
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 8192
#define KEY "c2FsbHlwb3J0IG1lYXN1cg=="
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define PAYLOAD 64
#define MASK 4
#define CLIENT_FRAME (2 + MASK + PAYLOAD)
#define SERVER_FRAME (2 + PAYLOAD)
#define WARM 200 /* round trips before those that count */

_Noreturn static void die(const char *what) {
    perror(what);
    exit(1);
}

static bool number(const char *text, unsigned long most, unsigned long *out) {
    char *end;
    *out = strtoul(text, &end, 10);
    return *text && !*end && *out <= most;
}

/* The answer to a Sec-WebSocket-Key (section 4.2.2). */
static void accept_value(const char *key, size_t len, char to[static 32]) {
    uint8_t text[128], hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (len > sizeof(text) - sizeof(GUID)) {
        len = 0;
    }
    memcpy(text, key, len);
    memcpy(text + len, GUID, sizeof(GUID) - 1);
    if (EVP_Digest(text, len + sizeof(GUID) - 1, hash, &n, EVP_sha1(), NULL) != 1) {
        die("sha1");
    }
    EVP_EncodeBlock((uint8_t *)to, hash, (int)n);
}

/* Reads the head of the upgrade and grants it. */
static void grant(int fd) {
    static const char name[] = "\r\nSec-WebSocket-Key: ";
    char head[HEAD_MAX + 1] = "", value[32], answer[256];
    size_t len = 0;
    while (!strstr(head, "\r\n\r\n")) {
        ssize_t n = len < HEAD_MAX ? read(fd, head + len, HEAD_MAX - len) : 0;
        if (n <= 0) {
            exit(1);
        }
        len += (size_t)n;
        head[len] = '\0';
    }
    const char *key = strcasestr(head, name);
    if (!key) {
        exit(1);
    }
    key += sizeof(name) - 1;
    accept_value(key, strcspn(key, "\r"), value);
    int n = snprintf(answer, sizeof(answer),
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: %s\r\n\r\n",
                     value);
    if (write(fd, answer, (size_t)n) != n) {
        exit(1);
    }
}

/* Sends the frame back without its mask; returns its length, or 0 when it is not whole. */
static size_t echo_frame(int fd, uint8_t *bytes, size_t n) {
    size_t len = n < 2 ? 0 : bytes[1] & 0x7f, whole = 2 + MASK + len;
    if (n < 2 || n < whole) {
        return 0;
    }
    if (len > 125 || !(bytes[1] & 0x80) || (bytes[0] & 0x0f) == 8) {
        exit(0);
    }
    uint8_t reply[2 + 125] = {bytes[0], (uint8_t)len};
    for (size_t i = 0; i < len; i++) {
        reply[2 + i] = bytes[2 + MASK + i] ^ bytes[2 + i % MASK];
    }
    if (write(fd, reply, 2 + len) != (ssize_t)(2 + len)) {
        exit(1);
    }
    return whole;
}

_Noreturn static void echo_serve(int fd) {
    uint8_t bytes[4096];
    size_t len = 0;
    grant(fd);
    for (;;) {
        ssize_t n = read(fd, bytes + len, sizeof(bytes) - len);
        if (n <= 0) {
            exit(0);
        }
        len += (size_t)n;
        for (size_t took = echo_frame(fd, bytes, len); took > 0; took = echo_frame(fd, bytes, len)) {
            len -= took;
            memmove(bytes, bytes + took, len);
        }
    }
}

static int echo(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 16)) {
        die(path);
    }
    signal(SIGCHLD, SIG_IGN);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) {
            die("accept");
        }
        if (fork() == 0) {
            close(listener);
            echo_serve(fd);
        }
        close(fd);
    }
}

static SSL *dial(uint16_t port, const char *host) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    char name[256];
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))) {
        die("connect");
    }
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(host, ":"), host);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = ctx ? SSL_new(ctx) : NULL;
    SSL_CTX_free(ctx);
    if (!ssl || SSL_set_fd(ssl, fd) != 1 || SSL_set_tlsext_host_name(ssl, name) != 1 || SSL_connect(ssl) != 1) {
        die("TLS");
    }
    return ssl;
}

static void upgrade(SSL *ssl, const char *host, const char *path, const char *cookie) {
    char head[HEAD_MAX + 1];
    size_t len = 0;
    int n = snprintf(head, sizeof(head),
                     "GET %s HTTP/1.1\r\nHost: %s\r\nOrigin: https://%s\r\nCookie: %s\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n\r\n",
                     path, host, host, cookie);
    if (n < 0 || n > HEAD_MAX || SSL_write(ssl, head, n) != n) {
        die("request");
    }
    head[0] = '\0';
    while (!strstr(head, "\r\n\r\n")) {
        n = len < HEAD_MAX ? SSL_read(ssl, head + len, (int)(HEAD_MAX - len)) : 0;
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
        head[len] = '\0';
    }
    if (strncmp(head, "HTTP/1.1 101 ", 13) != 0) {
        fprintf(stderr, "no WebSocket: %s\n", head);
        exit(1);
    }
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t round_trip(SSL *ssl, unsigned long number_of_it) {
    uint8_t frame[CLIENT_FRAME] = {0x82, 0x80 | PAYLOAD}, reply[SERVER_FRAME];
    memcpy(frame + 2 + MASK, &number_of_it, sizeof(number_of_it));
    uint64_t began = now_ns();
    if (SSL_write(ssl, frame, sizeof(frame)) != (int)sizeof(frame)) {
        die("write");
    }
    for (int len = 0; len < (int)sizeof(reply);) {
        int n = SSL_read(ssl, reply + len, (int)sizeof(reply) - len);
        if (n <= 0) {
            die("read");
        }
        len += n;
    }
    uint64_t took = now_ns() - began;
    if (reply[0] != 0x82 || reply[1] != PAYLOAD || memcmp(reply + 2, frame + 2 + MASK, PAYLOAD) != 0) {
        fprintf(stderr, "something else came back\n");
        exit(1);
    }
    return took;
}

int main(int argc, char **argv) {
    unsigned long port, count;
    signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && strcmp(argv[1], "echo") == 0) {
        return echo(argv[2]);
    }
    if (argc != 7 || strcmp(argv[1], "ping") != 0 || !number(argv[2], UINT16_MAX, &port) ||
        !number(argv[6], 10000000, &count)) {
        fprintf(stderr, "usage: websocket echo PATH | ping PORT HOST PATH COOKIE COUNT\n");
        return 2;
    }
    SSL *ssl = dial((uint16_t)port, argv[3]);
    upgrade(ssl, argv[3], argv[4], argv[5]);
    for (unsigned long i = 0; i < WARM + count; i++) {
        uint64_t took = round_trip(ssl, i);
        if (i >= WARM) {
            printf("%llu\n", (unsigned long long)took);
        }
    }
    int fd = SSL_get_fd(ssl);
    SSL_free(ssl);
    close(fd);
    return 0;
}
