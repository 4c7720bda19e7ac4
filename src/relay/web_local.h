/* What the files of the web front share among themselves. */
#ifndef SALLYPORT_RELAY_WEB_LOCAL_H
#define SALLYPORT_RELAY_WEB_LOCAL_H

#include "sallyport/base/list.h"
#include "sallyport/relay/web.h"
#include "sallyport/store/logins.h"
#include "sallyport/wire/pages.h"
#include "sallyport/wire/tls.h"

#define WEB_ASSETS 4
#define WEB_ETAG_SIZE 35 /* 32 hex digits in quotes */
#define WEB_COMMAND_SIZE 320

struct web {
    struct loop *loop;
    struct overview_source source;
    int64_t (*now)(void);
    struct tls_server *tls;
    struct pages *pages;
    char **hosts;       /* as configured, owned */
    char **authorities; /* the same as they stand in a URL: "relay.example:2222", "[::1]" */
    size_t host_count;
    uint16_t port;
    bool hsts;
    struct list conns; /* of struct web_conn, those that came by TLS */
    unsigned conn_count, conn_max;
    char etags[WEB_ASSETS][WEB_ETAG_SIZE];
};

/* A request on its way through the routes. */
struct web_visit {
    struct web *web;
    const struct page_request *request;
    struct page_response *response;
    const char *authority; /* the one of ours that was asked for */
};

/* web_routes.c: the handler of all pages; ctx is struct web. */
void web_handle(void *ctx, const struct page_request *request, struct page_response *response);

/* web_answer.c: the kinds of answers. Each sets status, type, body and caching; out of memory it leaves status 500. */
void web_answer_text(struct web_visit *visit, unsigned status, const char *text);
void web_answer_json(struct web_visit *visit, unsigned status, struct buf *json); /* takes the contents of json */
void web_answer_api_error(struct web_visit *visit, unsigned status, const char *text);
/* The page for those who are not logged in, and for those whose link did not work. */
void web_answer_login(struct web_visit *visit, unsigned status, const char *title, const char *text);
/* Something is wrong; the way on leads to "/". */
void web_answer_error(struct web_visit *visit, unsigned status, const char *title, const char *text);
void web_answer_redirect(struct web_visit *visit, unsigned status, const char *to);

/* web_assets.c: what is compiled in. */
int web_assets_hash(char etags[static WEB_ASSETS][WEB_ETAG_SIZE]); /* 0 or SP_ECRYPTO */
void web_answer_asset(struct web_visit *visit);                    /* for a path that begins with /assets/ */
void web_answer_index(struct web_visit *visit);
/* Fills `{{NAME}}` places of a page from name and value pairs; values are escaped. 0 or SP_ENOMEM. */
enum web_template { WEB_TEMPLATE_LOGIN, WEB_TEMPLATE_ERROR };
int web_template_fill(enum web_template which, const char *const (*fields)[2], size_t n, struct buf *out);

/* web_session.c: who it is. 0, or SP_ENOENT when nobody is logged in (also when the session is over). */
int web_session_find(struct web_visit *visit, struct session *out);
void web_session_login(struct web_visit *visit);  /* GET /login/CODE */
void web_session_logout(struct web_visit *visit); /* POST /api/v1/logout */

#endif
