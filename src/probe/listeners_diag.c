#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "listeners_local.h"
#include "sallyport/base/err.h"

static int diag_send(int fd, int family) {
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 body;
    } request = {
        .head = {.nlmsg_len = sizeof request,
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.sdiag_family = family == 6 ? AF_INET6 : AF_INET,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = 1U << TCP_LISTEN},
    };
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t n = sendto(fd, &request, sizeof request, 0, (struct sockaddr *)&kernel, sizeof kernel);
    return n == (ssize_t)sizeof request ? 0 : SP_ESYS;
}

static int diag_add(struct listeners *listeners, struct nlmsghdr *head) {
    struct inet_diag_msg row;
    if (head->nlmsg_len < NLMSG_LENGTH(sizeof row))
        return 0;
    memcpy(&row, NLMSG_DATA(head), sizeof row);
    struct listener listener = {.inode = row.idiag_inode,
                                .uid = row.idiag_uid,
                                .port = ntohs(row.id.idiag_sport),
                                .family = row.idiag_family == AF_INET6 ? 6 : 4};
    memcpy(listener.address, row.id.idiag_src, listener.family == 6 ? 16 : 4);
    return row.idiag_state == TCP_LISTEN && listener.port != 0 ? listeners_add(listeners, &listener) : 0;
}

/* A datagram holds several messages: NLMSG_DONE is the last of all, NLMSG_ERROR says no. */
static int diag_receive(int fd, struct listeners *listeners) {
    union {
        struct nlmsghdr head;
        char bytes[16384];
    } answer;
    for (;;) {
        ssize_t n = recv(fd, &answer, sizeof answer, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return SP_ESYS;
        size_t left = (size_t)n;
        for (struct nlmsghdr *head = &answer.head; NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
            if (head->nlmsg_type == NLMSG_DONE)
                return 0;
            if (head->nlmsg_type == NLMSG_ERROR) {
                errno = EOPNOTSUPP;
                return SP_ESYS;
            }
            int rc = head->nlmsg_type == SOCK_DIAG_BY_FAMILY ? diag_add(listeners, head) : 0;
            if (rc != 0)
                return rc;
        }
    }
}

int listeners_diag(struct listeners *listeners, int family) {
    /* the kernel answers at once; should it ever not, the loop must not wait for it */
    const struct timeval patience = {.tv_sec = 1};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return SP_ESYS;
    int rc = setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 ? 0 : SP_ESYS;
    if (rc == 0)
        rc = diag_send(fd, family);
    if (rc == 0)
        rc = diag_receive(fd, listeners);
    int saved = errno;
    close(fd);
    errno = saved;
    return rc;
}
