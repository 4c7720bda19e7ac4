/* What the files of the pages share among themselves. */
#ifndef SALLYPORT_WIRE_PAGES_LOCAL_H
#define SALLYPORT_WIRE_PAGES_LOCAL_H

#include <microhttpd.h>
#include <netinet/in.h>

#include "sallyport/base/list.h"
#include "sallyport/wire/pages.h"

struct pages {
    struct loop *loop;
    struct MHD_Daemon *daemon;
    struct loop_fd watch;    /* the daemon's own epoll */
    struct loop_timer timer; /* the daemon's next wish to run */
    struct loop_task turn;
    struct list pending; /* conns that the daemon has not taken up yet */
    struct list live;
    unsigned count, max;
    unsigned head_ms, rest_ms, answer_ms;
    void (*handle)(void *ctx, const struct page_request *request, struct page_response *response);
    void *ctx;
};

struct pages_conn {
    struct list link;
    struct pages *pages;
    int fd; /* the daemon's to close */
    struct loop_timer deadline;
    char peer[INET6_ADDRSTRLEN];
    bool tls;
    bool again; /* has served a request already */
    void (*closed)(void *ctx);
    void *ctx;
};

/* One request on its way in, from its first line on. */
struct pages_exchange {
    struct pages_conn *conn;
    char *uri;
    struct buf body;
    bool begun;    /* the handler was called for the head */
    bool overlong; /* the body went over its bound and is thrown away */
};

/* Callbacks of the daemon; `cls` is struct pages. */
void *pages_on_line(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result pages_on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                 const char *version, const char *upload, size_t *upload_size, void **exchange);
void pages_on_completed(void *cls, struct MHD_Connection *connection, void **exchange,
                        enum MHD_RequestTerminationCode code);

/* The moments that move a connection's deadline. */
void pages_conn_begin(struct pages_conn *conn);  /* the first line of a request is there */
void pages_conn_answer(struct pages_conn *conn); /* the request is whole */
void pages_conn_rest(struct pages_conn *conn);   /* the response is out */

#endif
