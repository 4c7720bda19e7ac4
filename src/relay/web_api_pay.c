/* /api/v1: does a machine pay. */
#include <jansson.h>
#include <math.h>

#include "pay.h"
#include "sallyport/base/log.h"
#include "sallyport/relay/overview.h"
#include "sallyport/store/prices.h"
#include "web_local.h"

static void answer_failure(struct web_visit *visit, int rc) {
    if (rc == SP_ENOENT) {
        web_answer_api_error(visit, 404, "there is no machine of that name that you may see");
        return;
    }
    log_error("web: what a machine pays: %s", err_text(rc));
    web_answer_api_error(visit, 500, "this could not be reckoned: the relay's log says why");
}

static void answer_report(struct web_visit *visit, int64_t machine_id) {
    const struct web *web = visit->web;
    struct pay_source source = {.recorder = web->recorder,
                                .store = web->source.store,
                                .prices = web->prices ? *web->prices : NULL,
                                .now = web->now()};
    struct pay_report report;
    int rc = pay_report(&source, machine_id, &report);
    if (rc) {
        answer_failure(visit, rc);
        return;
    }
    web_answer_value(visit, 200, pay_report_json(&report));
    pay_report_fini(&report);
}

void web_api_pay(struct web_visit *visit) {
    struct overview overview;
    int rc = web_machine(visit, visit->part[0], &overview);
    if (rc) {
        answer_failure(visit, rc);
        return;
    }
    answer_report(visit, overview.views[0].machine_id);
    overview_fini(&overview);
}

/* What is not said is not known from then on. */
static int read_prices(struct web_visit *visit, struct pay_prices *prices) {
    struct why why = {""};
    json_t *object = NULL;
    *prices = (struct pay_prices){.machine = NAN, .power_per_kwh = NAN, .cloud_per_gpu_hour = NAN};
    int rc = web_read_body(visit, &object, &why);
    if (!rc)
        rc = pay_prices_read(object, prices, &why);
    json_decref(object);
    if (rc)
        web_answer_api_error(visit, 400, why.text[0] ? why.text : "a JSON object is wanted in the body");
    return rc;
}

void web_api_pay_put(struct web_visit *visit) {
    struct overview overview;
    struct pay_prices prices;
    int rc = web_machine(visit, visit->part[0], &overview);
    if (rc) {
        answer_failure(visit, rc);
        return;
    }
    const struct machine_view *view = &overview.views[0];
    if (read_prices(visit, &prices) == 0) {
        rc = store_price_put(visit->web->source.store, view->machine_id, &prices);
        web_audit(visit, visit->asker->user.name, "price", view->name, rc ? "failed" : "ok", "");
        if (rc)
            answer_failure(visit, rc);
        else
            answer_report(visit, view->machine_id);
    }
    overview_fini(&overview);
}
