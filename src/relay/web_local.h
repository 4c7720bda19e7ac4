/* What the files of the web front share among themselves. */
#ifndef SALLYPORT_RELAY_WEB_LOCAL_H
#define SALLYPORT_RELAY_WEB_LOCAL_H

#include "counters.h"
#include "sallyport/base/list.h"
#include "sallyport/relay/web.h"
#include "sallyport/store/logins.h"
#include "sallyport/wire/http_head.h"
#include "sallyport/wire/pages.h"
#include "sallyport/wire/tls.h"

#define WEB_ASSETS 35
#define WEB_ETAG_SIZE 35 /* 32 hex digits in quotes */
#define WEB_COMMAND_SIZE 320
#define WEB_SAID_MAX 128
#define WEB_PARTS_MAX 3 /* {name}s in a route */
#define WEB_SAID_SIZE 192

struct json_t;

/* What of the audit is new: a page that asks every few seconds must not push out all else. */
struct web_said {
    int64_t when; /* UTC seconds; 0: none */
    char what[WEB_SAID_SIZE];
};

struct web {
    struct loop *loop;
    struct overview_source source;
    int64_t (*now)(void);
    struct tls_server *tls;
    struct pages *pages;
    struct web_events *events;
    struct web_hops *hops;
    struct loop_timer tick; /* sessions that ran out, and those that are in use */
    char **hosts;           /* as configured, owned */
    char **authorities;     /* the same as they stand in a URL: "relay.example:2222", "[::1]" */
    size_t host_count;
    uint16_t port;
    bool hsts;
    char *acme_webroot; /* owned; NULL: none */
    int (*open)(void *ctx, int64_t machine_id, const struct service *service, const struct sockaddr_storage *peer,
                void (*opened)(void *opened_ctx, struct stream *stream), void *opened_ctx);
    void *open_ctx;
    struct list fresh; /* of struct web_conn: no whole request yet, the oldest first */
    struct list conns; /* and those that had one, by the last */
    unsigned conn_count, fresh_count, conn_max;
    unsigned rights; /* goes up with every change of rights: what was looked up before is looked up anew */
    char etags[WEB_ASSETS][WEB_ETAG_SIZE];
    const char *fingerprint; /* of the relay's host key */
    struct web_counters counters;
    struct web_said said[WEB_SAID_MAX];                   /* the oldest gives way */
    void (*count)(void *ctx, struct relay_counters *out); /* may be NULL */
    void *count_ctx;
    int (*publish)(void *ctx, const struct machine *machine, const char *service, bool published,
                   struct why *why); /* may be NULL */
    void *publish_ctx;
    struct watch *watch;
    struct recorder *recorder;    /* NULL: there is none */
    struct prices *const *prices; /* NULL: there are none */
    int64_t started;
};

/* A request on its way through the routes. */
struct web_visit {
    struct web *web;
    const struct page_request *request;
    struct page_response *response;
    const char *authority; /* the one of ours that was asked for, and how browsers write it as an origin */
    const char *origin;
    const char *part[WEB_PARTS_MAX]; /* what of the path the {name}s of the route stand for, not decoded; then "" */
    char path[PAGES_PATH_MAX + 1];   /* where they lie */
    struct web_asker *asker;         /* who asks, where the route wants to know; else NULL */
};

/* web_routes.c: the handler of all pages; ctx is struct web. */
void web_handle(void *ctx, const struct page_request *request, struct page_response *response);
/* The fields that every answer of ours carries, for one that does not go by the pages: each with its CRLF. 0 or
 * SP_ENOMEM. */
int web_fixed_fields(const struct web *web, struct buf *head);

/* web_path.c: does the request's path fit this one, each {name} in it standing for one part? Then visit->part is set. */
bool web_path_match(struct web_visit *visit, const char *pattern);

/* web_query.c: the first value of that name in a query, decoded. 0; SP_ENOENT: there is none; SP_EFORMAT: it does not fit,
 * or is no clean text. */
int web_query(const char *query, size_t len, const char *name, char *to, size_t size);
/* The same as a time: RFC 3339 in UTC, a day, or UTC seconds. */
int web_query_time(const char *query, const char *name, int64_t *out);

/* web_answer.c: the kinds of answers. Each sets status, type, body and caching; out of memory it leaves status 500. */
void web_answer_body(struct web_visit *visit, unsigned status, const char *type, struct buf *body); /* takes it over */
void web_answer_text(struct web_visit *visit, unsigned status, const char *text);
void web_answer_json(struct web_visit *visit, unsigned status, struct buf *json);      /* takes the contents of json */
void web_answer_value(struct web_visit *visit, unsigned status, struct json_t *value); /* takes it over; or NULL */
void web_answer_api_error(struct web_visit *visit, unsigned status, const char *text);
/* What an order came to that was not followed: the status of `rc`, `busy` for SP_EBUSY, and the reason in `why`; without
 * one, for what is not there, `missing`. */
#define WEB_FAILED "the relay could not do it: its log says why"
void web_answer_failure(struct web_visit *visit, int rc, const struct why *why, unsigned busy, const char *missing);
/* The page for those who are not logged in, and for those whose link did not work. */
void web_answer_login(struct web_visit *visit, unsigned status, const char *title, const char *text);
/* Something is wrong; the way on leads to "/". */
void web_answer_error(struct web_visit *visit, unsigned status, const char *title, const char *text);
void web_answer_redirect(struct web_visit *visit, unsigned status, const char *to);

/* web_assets.c: what is compiled in. */
int web_assets_hash(char etags[static WEB_ASSETS][WEB_ETAG_SIZE]); /* 0 or SP_ECRYPTO */
/* A file of web/, for as long as the web front lives. */
struct web_asset {
    const char *type; /* Content-Type */
    const uint8_t *bytes;
    size_t len;
    const char *etag; /* with its quotes */
};
/* By its bare name: "style.css". The pages themselves are not among them. */
bool web_asset_find(const struct web *web, const char *name, struct web_asset *out);
void web_answer_asset(struct web_visit *visit); /* for a path that begins with /assets/ */
/* The pages themselves, for those who are logged in. */
void web_answer_index(struct web_visit *visit);
void web_answer_machine(struct web_visit *visit);
void web_answer_alerts(struct web_visit *visit);
/* Fills `{{NAME}}` places of a page from name and value pairs; values are escaped. 0 or SP_ENOMEM. Both pages want
 * `title`, `text` and `assets`, the path without its last slash below which the browser finds the assets: "/assets".
 * The login page wants `command`, the error page `link` and `link_text`, the way on. */
enum web_template { WEB_TEMPLATE_LOGIN, WEB_TEMPLATE_ERROR };
int web_template_fill(enum web_template which, const char *const (*fields)[2], size_t n, struct buf *out);

void web_session_login(struct web_visit *visit); /* web_session.c: GET /login/CODE */

/* web_events.c: GET /api/v1/events, server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html):
 * what changes among the machines that a viewer may see. First `machines` with the array that `list --json` prints, then
 * `machine` with one object of it for each that is new or has changed, `gone` with {"name"}; `bye` with {} when the right
 * to listen is over, and the connection closes. A comment every 15 s. */
struct web_events;
struct web_listener;
struct http_conn;
int web_events_new(struct web *web, struct web_events **out); /* 0 or SP_ENOMEM */
/* Listeners that are left are gone, too: no web_listener_* after it. NULL is allowed. */
void web_events_free(struct web_events *events);
/* Who listens: a user, by a session or by a token (the other one is 0). */
struct web_viewer {
    int64_t user_id, session_id, token_id;
};
/* Answers the request on `http`, from inside its event or later, and goes on sending. The owner of `http` hands its
 * `writable` to web_listener_writable, and calls web_listener_leave at its `closed`. SP_EBUSY: this user, or all
 * together, listen too often (429); SP_ENOENT: no such user (401); SP_ENOMEM, SP_ESYS (500): nothing was answered. */
int web_events_join(struct web_events *events, struct http_conn *http, const struct web_viewer *viewer,
                    struct web_listener **out);
void web_listener_writable(struct web_listener *listener);
void web_listener_leave(struct web_listener *listener); /* NULL is allowed */
/* Something about machines has changed: it is sent within a quarter of a second. */
void web_events_touch(struct web_events *events);
/* Users, grants, sessions or tokens have changed: listeners without a right end, the others see what they may. */
void web_events_check(struct web_events *events);
size_t web_events_count(const struct web_events *events); /* of listeners */

/* web_who.c: who asks. */
struct web_asker {
    struct user user;
    struct web_viewer viewer;
};
/* By an API token in an Authorization field, else by a session's token in our cookie; a text of length 0 is none. Says
 * that it was used. 0; SP_ENOENT: nobody whom we know. */
int web_who(struct web *web, struct http_text authorization, struct http_text cookie, struct web_asker *out);
/* The same for a request to the pages. */
int web_who_visits(struct web_visit *visit, struct web_asker *out);
/* The session of the cookie alone: for pages. SP_ENOENT: nobody is logged in, or not any more. */
int web_session_find(struct web_visit *visit, struct session *out);
/* The token that unsafe requests by cookie carry in X-Sallyport-Token. It follows from the session's own. 0 or
 * SP_ECRYPTO. */
#define WEB_CSRF_SIZE 65
#define WEB_CSRF_FIELD "X-Sallyport-Token"
int web_csrf_token(const char *session_token, char to[static WEB_CSRF_SIZE]);
/* Does the request, whose asker is known, come from our own page? Exact Origin, Sec-Fetch-Site, and the token. Who asks
 * with an API token needs none of it: no other site can have a browser send that. */
bool web_is_own_page(const struct web_visit *visit);
/* A line of the audit. `object` NULL: the visitor's address. */
void web_audit(struct web_visit *visit, const char *actor, const char *action, const char *object, const char *outcome,
               const char *detail);

/* web_api.c: the body as a new JSON object (the caller's). SP_EFORMAT, SP_ETOOBIG with why. */
int web_read_body(const struct web_visit *visit, struct json_t **out, struct why *why);
/* web_api.c: the machine of that name, narrowed to who asks; overview_fini frees. SP_ENOENT: none that he may see; SP_ENOMEM,
 * SP_ESYS. */
int web_machine(const struct web_visit *visit, const char *name, struct overview *out);

/* The answers of /api/v1, each in the file beside it; visit->asker is set. */
void web_api_me(struct web_visit *visit); /* web_api.c */
void web_api_machines(struct web_visit *visit);
void web_api_machine(struct web_visit *visit);
void web_api_openapi(struct web_visit *visit);  /* web_assets.c */
void web_api_sessions(struct web_visit *visit); /* web_api_sessions.c */
void web_api_session_end(struct web_visit *visit);
void web_api_logout(struct web_visit *visit);
void web_api_logout_everywhere(struct web_visit *visit);
void web_api_invites(struct web_visit *visit); /* web_api_invites.c */
void web_api_invite_add(struct web_visit *visit);
void web_api_invite_remove(struct web_visit *visit);
void web_api_service_publish(struct web_visit *visit); /* web_api_services.c */
void web_api_service_unpublish(struct web_visit *visit);
void web_api_claim_add(struct web_visit *visit); /* web_api_claims.c */
void web_api_claim_remove(struct web_visit *visit);
void web_api_wake(struct web_visit *visit);
void web_api_alerts(struct web_visit *visit); /* web_api_alerts.c */
void web_api_channels(struct web_visit *visit);
void web_api_channel_add(struct web_visit *visit);
void web_api_channel_remove(struct web_visit *visit);
void web_api_channel_test(struct web_visit *visit);
void web_api_alert_settings(struct web_visit *visit);
void web_api_alert_set(struct web_visit *visit);
void web_api_quiet(struct web_visit *visit);
void web_api_quiet_set(struct web_visit *visit);
void web_api_history(struct web_visit *visit); /* web_api_history.c */
void web_api_pay(struct web_visit *visit);     /* web_api_pay.c */
void web_api_pay_put(struct web_visit *visit);
void web_metrics(struct web_visit *visit); /* web_metrics.c */

/* web_audit.c: one more row. What was not written is in the log. */
void web_audit_add(struct web *web, const char *actor, const char *action, const char *object, const char *outcome,
                   const char *detail);
/* Unless the same actor had the same outcome there in the last ten minutes: for what can be asked without end, and would
 * push all else out of the audit. */
void web_audit_once(struct web *web, const char *actor, const char *action, const char *object, const char *outcome,
                    const char *detail);

/* web_acme.c: for a path that begins with /.well-known/acme-challenge/, which is answered on any host, with TLS and without. */
void web_acme_answer(struct web_visit *visit);

#endif
