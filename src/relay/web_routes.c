/* From an address to its answer: which host, which page, which method, who asks. */
#include <stdio.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "web_conn.h"

#define URL_SIZE (PAGES_PATH_MAX + 320)
#define POLICY \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " \
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

static const char *const fixed_headers[][2] = {
    {"Content-Security-Policy", POLICY},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
};

static void answer_health(struct web_visit *visit) {
    web_answer_text(visit, 200, "ok");
}

/* A page of ours; who is not logged in is asked to, at the same address. */
static void answer_page(struct web_visit *visit, void (*page)(struct web_visit *visit)) {
    struct session session;
    if (web_session_find(visit, &session))
        web_answer_login(visit, 200, "Log in", "The relay knows you by your SSH key. Ask it for a link:");
    else
        page(visit);
}

static void answer_home(struct web_visit *visit) {
    answer_page(visit, web_answer_index);
}

static void answer_machine(struct web_visit *visit) {
    answer_page(visit, web_answer_machine);
}

static void answer_alerts(struct web_visit *visit) {
    answer_page(visit, web_answer_alerts);
}

/* GET is answered by web_events.c, and never gets here. */
static void answer_events_head(struct web_visit *visit) {
    visit->response->status = 200;
    visit->response->type = "text/event-stream";
}

enum {
    FOR_ANYONE,
    FOR_USERS, /* else 401; what changes something must come from our own page */
    FOR_ADMINS /* else 403 */
};

struct web_route {
    const char *method; /* GET means HEAD, too */
    const char *path;   /* each {name} stands for one part of a path, the n-th is visit->part[n] */
    int who;
    void (*answer)(struct web_visit *visit);
};

static const struct web_route routes[] = {
    {"GET", "/", FOR_ANYONE, answer_home},
    {"GET", "/machines/{name}", FOR_ANYONE, answer_machine},
    {"GET", "/alerts", FOR_ANYONE, answer_alerts},
    {"GET", "/login/{code}", FOR_ANYONE, web_session_login},
    {"GET", "/assets/{file}", FOR_ANYONE, web_answer_asset},
    {"GET", "/open/{machine}/{service}", FOR_ANYONE, web_hop_open},
    {"GET", "/healthz", FOR_ANYONE, answer_health},
    {"GET", "/metrics", FOR_ADMINS, web_metrics},
    {"GET", "/api/v1/openapi.json", FOR_ANYONE, web_api_openapi},
    {"GET", "/api/v1/me", FOR_USERS, web_api_me},
    {"GET", "/api/v1/machines", FOR_USERS, web_api_machines},
    {"GET", "/api/v1/machines/{name}", FOR_USERS, web_api_machine},
    {"GET", "/api/v1/machines/{name}/history", FOR_USERS, web_api_history},
    {"GET", "/api/v1/machines/{name}/pay", FOR_USERS, web_api_pay},
    {"PUT", "/api/v1/machines/{name}/pay", FOR_ADMINS, web_api_pay_put},
    {"POST", "/api/v1/machines/{name}/services/{service}", FOR_ADMINS, web_api_service_publish},
    {"DELETE", "/api/v1/machines/{name}/services/{service}", FOR_ADMINS, web_api_service_unpublish},
    {"GET", "/api/v1/events", FOR_USERS, answer_events_head},
    {"GET", "/api/v1/sessions", FOR_USERS, web_api_sessions},
    {"DELETE", "/api/v1/sessions/{id}", FOR_USERS, web_api_session_end},
    {"POST", "/api/v1/machines/{name}/claims", FOR_USERS, web_api_claim_add},
    {"DELETE", "/api/v1/machines/{name}/claims/{gpu}", FOR_USERS, web_api_claim_remove},
    {"POST", "/api/v1/machines/{name}/wake", FOR_USERS, web_api_wake},
    {"GET", "/api/v1/alerts", FOR_USERS, web_api_alerts},
    {"GET", "/api/v1/alerts/channels", FOR_USERS, web_api_channels},
    {"POST", "/api/v1/alerts/channels", FOR_USERS, web_api_channel_add},
    {"DELETE", "/api/v1/alerts/channels/{id}", FOR_USERS, web_api_channel_remove},
    {"POST", "/api/v1/alerts/channels/{id}/test", FOR_USERS, web_api_channel_test},
    {"GET", "/api/v1/alerts/settings", FOR_USERS, web_api_alert_settings},
    {"PUT", "/api/v1/alerts/settings", FOR_ADMINS, web_api_alert_set},
    {"GET", "/api/v1/alerts/quiet", FOR_USERS, web_api_quiet},
    {"PUT", "/api/v1/alerts/quiet", FOR_USERS, web_api_quiet_set},
    {"POST", "/api/v1/logout", FOR_USERS, web_api_logout},
    {"POST", "/api/v1/logout-everywhere", FOR_USERS, web_api_logout_everywhere},
    {"GET", "/api/v1/invites", FOR_ADMINS, web_api_invites},
    {"POST", "/api/v1/invites", FOR_ADMINS, web_api_invite_add},
    {"DELETE", "/api/v1/invites/{id}", FOR_ADMINS, web_api_invite_remove},
};

/* The route for this request; NULL: none. `allowed` gets the methods that the path takes, "" when it is none of ours. */
static const struct web_route *route_find(const char *method, struct web_visit *visit, char *allowed, size_t size) {
    allowed[0] = '\0';
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (!web_path_match(visit, routes[i].path))
            continue;
        if (strcmp(method, routes[i].method) == 0)
            return &routes[i];
        size_t used = strlen(allowed);
        snprintf(allowed + used, size - used, "%s%s", used ? ", " : "",
                 strcmp(routes[i].method, "GET") == 0 ? "GET, HEAD" : routes[i].method);
    }
    return NULL;
}

int web_fixed_fields(const struct web *web, struct buf *head) {
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof(fixed_headers) / sizeof(fixed_headers[0]); i++)
        rc = buf_printf(head, "%s: %s\r\n", fixed_headers[i][0], fixed_headers[i][1]);
    if (!rc && web->hsts)
        rc = buf_printf(head, "Strict-Transport-Security: max-age=31536000\r\n");
    return rc;
}

static int add_fixed_headers(struct web_visit *visit) {
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof(fixed_headers) / sizeof(fixed_headers[0]); i++)
        rc = page_response_header(visit->response, fixed_headers[i][0], "%s", fixed_headers[i][1]);
    if (!rc && visit->web->hsts && visit->request->tls)
        rc = page_response_header(visit->response, "Strict-Transport-Security", "max-age=31536000");
    return rc;
}

/* Programs get JSON, people a page. */
static bool is_api(const struct web_visit *visit) {
    return str_starts(visit->request->path, "/api/") || strcmp(visit->request->path, "/metrics") == 0;
}

static void answer_wrong_host(struct web_visit *visit) {
    char text[URL_SIZE];
    snprintf(text, sizeof(text), "This relay answers at https://%s/ and not by the name that you used.",
             visit->web->authorities[0]);
    if (is_api(visit))
        web_answer_api_error(visit, 421, text);
    else
        web_answer_error(visit, 421, "Another address", text);
}

static void answer_to_https(struct web_visit *visit) {
    char url[URL_SIZE];
    const struct page_request *request = visit->request;
    snprintf(url, sizeof(url), "https://%s%s%s%s", visit->authority, request->path, request->query[0] ? "?" : "",
             request->query);
    web_answer_redirect(visit, 308, url);
}

static void answer_missing(struct web_visit *visit, const char *allowed) {
    if (allowed[0]) {
        if (page_response_header(visit->response, "Allow", "%s", allowed) == 0)
            web_answer_api_error(visit, 405, "this address does not take that method");
    } else if (is_api(visit)) {
        web_answer_api_error(visit, 404, "there is nothing at this address");
    } else {
        web_answer_error(visit, 404, "Nothing here", "There is no page with this address.");
    }
}

static bool may_administer(const struct user *user) {
    struct policy_request request = {.action = ACTION_ADMINISTER};
    struct policy_subject subject = {
        .kind = SUBJECT_USER, .id = user->id, .role = user->role, .disabled = user->disabled};
    return policy_allows(&subject, &request);
}

/* May who asks have this route answered? Else says why not. */
static bool may_enter(struct web_visit *visit, const struct web_route *route, struct web_asker *asker) {
    if (web_who_visits(visit, asker)) {
        if (page_response_header(visit->response, "WWW-Authenticate", "Bearer realm=\"sallyport\"") == 0)
            web_answer_api_error(visit, 401, "not logged in");
        return false;
    }
    visit->asker = asker;
    if (strcmp(route->method, "GET") != 0 && !web_is_own_page(visit)) {
        web_answer_api_error(visit, 403, "this request does not come from the relay's own page");
        return false;
    }
    if (route->who == FOR_ADMINS && !may_administer(&asker->user)) {
        web_audit_once(visit->web, asker->user.name, "api", route->path, "refused", "policy");
        web_answer_api_error(visit, 403, "this is for admins only");
        return false;
    }
    return true;
}

static void answer_route(struct web_visit *visit) {
    char allowed[64];
    struct web_asker asker;
    const char *method = visit->request->method;
    bool look = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    const struct web_route *route = route_find(look ? "GET" : method, visit, allowed, sizeof(allowed));
    if (!route) {
        answer_missing(visit, allowed);
        return;
    }
    if (route->who == FOR_ANYONE || may_enter(visit, route, &asker))
        route->answer(visit);
    visit->asker = NULL;
}

/* What the pages refuse by themselves: it never gets to a route. */
static void answer_refused(struct web_visit *visit, unsigned status) {
    const char *text = "this is no request that the relay understands";
    if (status == 413)
        text = "the body is too large";
    else if (status == 414)
        text = "the address is too long";
    if (is_api(visit))
        web_answer_api_error(visit, status, text);
    else
        web_answer_text(visit, status, text);
}

void web_handle(void *ctx, const struct page_request *request, struct page_response *response) {
    struct web_visit visit = {.web = ctx, .request = request, .response = response};
    struct web_host host;
    if (add_fixed_headers(&visit))
        return;
    web_host_parse(visit.web, request->host, strlen(request->host), request->tls, &host);
    visit.authority = host.authority;
    visit.origin = host.origin;
    /* Health checks come by any name and without TLS. */
    bool open = strcmp(request->path, "/healthz") == 0;
    if (request->refused)
        answer_refused(&visit, request->refused);
    else if (str_starts(request->path, "/.well-known/acme-challenge/"))
        web_acme_answer(&visit); /* those who ask come by any of our names, and without TLS */
    else if (!open && host.kind != WEB_HOST_OWN)
        answer_wrong_host(&visit);
    else if (!open && !request->tls && !host.local)
        answer_to_https(&visit);
    else
        answer_route(&visit);
    counters_request(visit.web->counters.page_requests, response->status);
}
