/* /api/v1: what a machine has found is published, or no more; for admins. */
#include <stdio.h>

#include "sallyport/store/machines.h"
#include "web_conn.h"

static unsigned status_of(int rc) {
    switch (rc) {
    case SP_ENOENT:
        return 404;
    case SP_ECLOSED:
    case SP_EDENIED:
    case SP_EEXIST:
        return 409;
    case SP_EBUSY:
        return 503;
    default:
        return 500;
    }
}

static void answer_order(struct web_visit *visit, bool published) {
    const struct web *web = visit->web;
    const char *service = visit->part[1];
    char object[2 * SP_NAME_SIZE + 2];
    struct machine machine;
    struct why why = {""};
    int rc = service_name_check(service, NULL) ? SP_ENOENT : 0;
    if (!rc)
        rc = store_machine_find(web->source.store, visit->part[0], &machine);
    if (rc) {
        web_answer_api_error(visit, status_of(rc),
                             rc == SP_ENOENT ? "there is no such machine, or no service can be called so"
                                             : "the machine could not be looked up: the relay's log says why");
        return;
    }
    rc = web->publish ? web->publish(web->publish_ctx, &machine, service, published, &why) : SP_ENOENT;
    snprintf(object, sizeof(object), "%s/%s", machine.name, service);
    web_audit(visit, visit->asker->user.name, published ? "publish" : "unpublish", object, rc ? "failed" : "ok",
              why.text);
    if (rc)
        web_answer_api_error(visit, status_of(rc), why.text[0] ? why.text : err_text(rc));
    else if (page_response_header(visit->response, "Cache-Control", "no-store") == 0)
        visit->response->status = 204;
}

void web_api_service_publish(struct web_visit *visit) {
    answer_order(visit, true);
}

void web_api_service_unpublish(struct web_visit *visit) {
    answer_order(visit, false);
}
