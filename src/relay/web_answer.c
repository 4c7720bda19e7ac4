/* The kinds of answers that the web front gives. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/domain/jsonline.h"
#include "web_local.h"

#define SSH_PORT 22

/* Takes the contents of `body`. Nothing here may be kept by a browser or a cache. */
void web_answer_body(struct web_visit *visit, unsigned status, const char *type, struct buf *body) {
    struct page_response *response = visit->response;
    if (page_response_header(response, "Cache-Control", "no-store")) {
        buf_fini(body);
        return;
    }
    response->status = status;
    response->type = type;
    response->body = *body;
    buf_init(body);
}

void web_answer_text(struct web_visit *visit, unsigned status, const char *text) {
    struct buf body;
    buf_init(&body);
    if (buf_printf(&body, "%s\n", text) == 0) {
        web_answer_body(visit, status, "text/plain; charset=utf-8", &body);
    }
}

void web_answer_json(struct web_visit *visit, unsigned status, struct buf *json) {
    web_answer_body(visit, status, "application/json", json);
}

void web_answer_value(struct web_visit *visit, unsigned status, struct json_t *value) {
    struct buf body;
    buf_init(&body);
    if (jsonline_append(&body, value, SIZE_MAX) == 0) {
        web_answer_json(visit, status, &body);
    }
}

void web_answer_api_error(struct web_visit *visit, unsigned status, const char *text) {
    web_answer_value(visit, status, json_pack("{s:s}", "error", text));
}

static unsigned failure_status(int rc, unsigned busy) {
    switch (rc) {
    case SP_EFORMAT:
    case SP_EINVAL:
    case SP_ETOOBIG:
        return 400;
    case SP_EDENIED:
        return 403;
    case SP_ENOENT:
        return 404;
    case SP_EEXIST:
        return 409;
    case SP_EBUSY:
        return busy;
    default:
        return 500;
    }
}

void web_answer_failure(struct web_visit *visit, int rc, const struct why *why, unsigned busy, const char *missing) {
    const char *text = rc == SP_ENOENT ? missing : WEB_FAILED;
    web_answer_api_error(visit, failure_status(rc, busy), why->text[0] ? why->text : text);
}

/* What to type for a login link. Nobody knows yet who is asking, so the name stays open. */
static void login_command(const struct web *web, char to[static WEB_COMMAND_SIZE]) {
    if (web->port == SSH_PORT) {
        snprintf(to, WEB_COMMAND_SIZE, "ssh NAME@%s login", web->hosts[0]);
    } else {
        snprintf(to, WEB_COMMAND_SIZE, "ssh -p %u NAME@%s login", web->port, web->hosts[0]);
    }
}

void web_answer_login(struct web_visit *visit, unsigned status, const char *title, const char *text) {
    char command[WEB_COMMAND_SIZE];
    struct buf body;
    login_command(visit->web, command);
    const char *const fields[][2] = {{"title", title}, {"text", text}, {"assets", "/assets"}, {"command", command}};
    buf_init(&body);
    if (web_template_fill(WEB_TEMPLATE_LOGIN, fields, sizeof(fields) / sizeof(fields[0]), &body) == 0) {
        web_answer_body(visit, status, "text/html; charset=utf-8", &body);
    } else {
        buf_fini(&body);
    }
}

void web_answer_error(struct web_visit *visit, unsigned status, const char *title, const char *text) {
    const char *const fields[][2] = {
        {"title", title}, {"text", text}, {"assets", "/assets"}, {"link", "/"}, {"link_text", "To the machines"}};
    struct buf body;
    buf_init(&body);
    if (web_template_fill(WEB_TEMPLATE_ERROR, fields, sizeof(fields) / sizeof(fields[0]), &body) == 0) {
        web_answer_body(visit, status, "text/html; charset=utf-8", &body);
    } else {
        buf_fini(&body);
    }
}

void web_answer_redirect(struct web_visit *visit, unsigned status, const char *to) {
    struct page_response *response = visit->response;
    if (page_response_header(response, "Location", "%s", to) == 0 &&
        page_response_header(response, "Cache-Control", "no-store") == 0) {
        response->status = status;
    }
}
