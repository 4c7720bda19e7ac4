/* Between OpenSSL and the socket: whole batches of records in one system call, and none that is known to be vain. */
#include "tls_local.h"

#include <errno.h>
#include <openssl/bio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int io_read(BIO *bio, char *to, int size) {
    struct tls_io *io = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (io->cut || io->lost) {
        return io->lost ? -1 : 0;
    }
    ssize_t n = -1;
    errno = EAGAIN;
    if (!io->drained) {
        n = recv(io->fd, to, (size_t)size, 0);
    }
    if (n > 0) {
        /* Less than was asked for is all there is: what comes later is a new edge. Only a FIN that is there already
         * makes none. */
        io->drained = n < size && !io->hangup;
        return (int)n;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        io->drained |= errno == EAGAIN;
        BIO_set_retry_read(bio);
        return -1;
    }
    io->cut = n == 0;
    io->lost = n < 0;
    return (int)n;
}

static int io_write(BIO *bio, const char *bytes, int n) {
    struct tls_io *io = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    return buf_append(&io->out, bytes, (size_t)n) == 0 ? n : -1;
}

static long io_ctrl(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    /* OpenSSL wants to hear that what it wrote is on its way; all other questions are answered with no. */
    return command == BIO_CTRL_FLUSH;
}

int tls_io_new(SSL *ssl, int fd, struct tls_io **out) {
    struct tls_io *io = calloc(1, sizeof(*io));
    if (!io) {
        return SP_ENOMEM;
    }
    io->fd = fd;
    buf_init(&io->out);
    io->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "sallyport");
    BIO *bio = NULL;
    if (io->method && BIO_meth_set_read(io->method, io_read) && BIO_meth_set_write(io->method, io_write) &&
        BIO_meth_set_ctrl(io->method, io_ctrl)) {
        bio = BIO_new(io->method);
    }
    if (!bio) {
        BIO_meth_free(io->method);
        free(io);
        return SP_ENOMEM;
    }
    BIO_set_data(bio, io);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    *out = io;
    return 0;
}

void tls_io_free(struct tls_io *io, SSL *ssl) {
    SSL_free(ssl);
    BIO_meth_free(io->method);
    close(io->fd);
    buf_fini(&io->out);
    free(io);
}

void tls_io_wake(struct tls_io *io, uint32_t events) {
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        io->drained = false;
    }
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        io->hangup = true;
    }
}

bool tls_io_flush(struct tls_io *io) {
    bool moved = false;
    while (buf_len(&io->out) && !io->lost) {
        ssize_t n = send(io->fd, buf_head(&io->out), buf_len(&io->out), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            io->lost = errno != EAGAIN;
            break;
        }
        moved = true;
        buf_consume(&io->out, (size_t)n);
    }
    return moved;
}

int tls_verdict(SSL *ssl, int n) {
    switch (SSL_get_error(ssl, n)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return SP_ECLOSED;
    default:
        return SP_ECRYPTO;
    }
}
