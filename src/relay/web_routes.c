/* From an address to its answer: which host, which page, which method, who asks. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/log.h"
#include "sallyport/base/str.h"
#include "sallyport/store/users.h"
#include "web_local.h"

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

static void answer_home(struct web_visit *visit) {
    struct session session;
    if (web_session_find(visit, &session)) {
        web_answer_login(visit, 200, "Log in", "The relay knows you by your SSH key. Ask it for a link:");
        return;
    }
    web_answer_index(visit);
}

static void answer_me(struct web_visit *visit) {
    struct session session;
    struct buf body;
    if (web_session_find(visit, &session)) {
        web_answer_api_error(visit, 401, "not logged in");
        return;
    }
    json_t *object = json_pack("{s:s, s:s, s:s, s:i}", "name", session.user.name, "role", role_name(session.user.role),
                               "relay_host", visit->web->hosts[0], "relay_port", (int)visit->web->port);
    char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;
    buf_init(&body);
    if (line && buf_printf(&body, "%s\n", line) == 0) {
        web_answer_json(visit, 200, &body);
    }
    free(line);
    json_decref(object);
}

static void answer_machines(struct web_visit *visit) {
    struct session session;
    struct policy_subject viewer;
    struct overview overview;
    struct buf body;
    /* A user who was removed has lost his sessions, too: the second lookup can only fail with the first. */
    if (web_session_find(visit, &session) || store_user_subject(visit->web->source.store, session.user.id, &viewer)) {
        web_answer_api_error(visit, 401, "not logged in");
        return;
    }
    buf_init(&body);
    int rc = overview_load(&visit->web->source, &viewer, &overview);
    if (!rc) {
        rc = view_list_json(overview.views, overview.count, &body);
        overview_fini(&overview);
    }
    policy_subject_fini(&viewer);
    if (rc) {
        log_error("web: no list of machines: %s", err_text(rc));
        buf_fini(&body);
        web_answer_api_error(visit, 500, "the list could not be made: the relay's log says why");
        return;
    }
    web_answer_json(visit, 200, &body);
}

struct web_route {
    const char *path; /* ends with '/' : everything below */
    bool post;        /* else GET and HEAD */
    void (*answer)(struct web_visit *visit);
};

static const struct web_route routes[] = {
    {"/", false, answer_home},
    {"/login/", false, web_session_login},
    {"/assets/", false, web_answer_asset},
    {"/healthz", false, answer_health},
    {"/api/v1/me", false, answer_me},
    {"/api/v1/machines", false, answer_machines},
    {"/api/v1/logout", true, web_session_logout},
};

static const struct web_route *route_find(const char *path) {
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        size_t len = strlen(routes[i].path);
        bool folder = len > 1 && routes[i].path[len - 1] == '/';
        if (folder ? str_starts(path, routes[i].path) : strcmp(path, routes[i].path) == 0) {
            return &routes[i];
        }
    }
    return NULL;
}

/* The authority of ours that a Host header means, or NULL. */
static const char *authority_find(const struct web *web, const char *host) {
    for (size_t i = 0; i < web->host_count; i++) {
        const char *ours = web->authorities[i];
        size_t len = strlen(ours);
        if (strcasecmp(host, ours) == 0 ||
            (web->port == 443 && strncasecmp(host, ours, len) == 0 && strcmp(host + len, ":443") == 0)) {
            return ours;
        }
    }
    return NULL;
}

static int add_fixed_headers(struct web_visit *visit) {
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof(fixed_headers) / sizeof(fixed_headers[0]); i++) {
        rc = page_response_header(visit->response, fixed_headers[i][0], "%s", fixed_headers[i][1]);
    }
    if (!rc && visit->web->hsts && visit->request->tls) {
        rc = page_response_header(visit->response, "Strict-Transport-Security", "max-age=31536000");
    }
    return rc;
}

static void answer_wrong_host(struct web_visit *visit) {
    char text[URL_SIZE];
    snprintf(text, sizeof(text), "This relay answers at https://%s/ and not by the name that you used.",
             visit->web->authorities[0]);
    web_answer_error(visit, 421, "Another address", text);
}

static void answer_to_https(struct web_visit *visit) {
    char url[URL_SIZE];
    const struct page_request *request = visit->request;
    snprintf(url, sizeof(url), "https://%s%s%s%s", visit->authority, request->path, request->query[0] ? "?" : "",
             request->query);
    web_answer_redirect(visit, 308, url);
}

static void answer_route(struct web_visit *visit) {
    const struct web_route *route = route_find(visit->request->path);
    const char *method = visit->request->method;
    bool api = str_starts(visit->request->path, "/api/");
    bool look = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (!route && api) {
        web_answer_api_error(visit, 404, "there is nothing at this address");
    } else if (!route) {
        web_answer_error(visit, 404, "Nothing here", "There is no page with this address.");
    } else if (route->post ? strcmp(method, "POST") != 0 : !look) {
        if (page_response_header(visit->response, "Allow", route->post ? "POST" : "GET, HEAD") == 0) {
            web_answer_api_error(visit, 405, "this address does not take that method");
        }
    } else {
        route->answer(visit);
    }
}

void web_handle(void *ctx, const struct page_request *request, struct page_response *response) {
    struct web_visit visit = {.web = ctx, .request = request, .response = response};
    if (add_fixed_headers(&visit)) {
        return;
    }
    visit.authority = authority_find(visit.web, request->host);
    /* Health checks come by any name and without TLS. */
    bool open = strcmp(request->path, "/healthz") == 0;
    if (!open && !visit.authority) {
        answer_wrong_host(&visit);
    } else if (!open && !request->tls) {
        answer_to_https(&visit);
    } else {
        answer_route(&visit);
    }
}
