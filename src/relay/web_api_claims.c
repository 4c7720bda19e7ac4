/* /api/v1: claims on GPUs, and machines that are woken. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/store/users.h"
#include "watch.h"
#include "web_conn.h"

/* The machine's id, and who asks, whose grants are to be freed. */
static int find_machine(const struct web_visit *visit, int64_t *id, struct policy_subject *who) {
    struct overview overview;
    int rc = web_machine(visit, visit->part[0], &overview);
    if (rc)
        return rc;
    *id = overview.views[0].machine_id;
    overview_fini(&overview);
    return store_user_subject(visit->web->source.store, visit->asker->user.id, who);
}

/* {"gpu":0,"for_s":28800,"note":"..."}; the note is left as it was when it is not said. */
static int read_order(const struct json_t *object, struct watch_order *order, char note[static CLAIM_NOTE_SIZE],
                      struct why *why) {
    int64_t for_s = CLAIM_DEFAULT_S;
    bool good = jsonline_integer(object, "gpu", 0, STATUS_GPUS_MAX - 1, &order->gpu) &&
                (!json_object_get(object, "for_s") || jsonline_integer(object, "for_s", 1, CLAIM_LONGEST_S, &for_s)) &&
                (!json_object_get(object, "note") || jsonline_text(object, "note", note, CLAIM_NOTE_SIZE));
    if (!good) {
        why_set(why, "a claim has a 'gpu', and may have 'for_s' (at most 30 days) and a 'note' (one line)");
        return SP_EFORMAT;
    }
    order->for_s = (uint64_t)for_s;
    order->note = json_object_get(object, "note") ? note : NULL;
    return 0;
}

static void audit(struct web_visit *visit, const char *action, int64_t gpu, int rc, const char *detail) {
    char object[SP_NAME_SIZE + 32];
    snprintf(object, sizeof(object), "%.31s/gpu%lld", visit->part[0], (long long)gpu);
    web_audit(visit, visit->asker->user.name, action, object, rc ? "failed" : "ok", detail);
}

void web_api_claim_add(struct web_visit *visit) {
    struct policy_subject who = {.kind = SUBJECT_NOBODY};
    struct watch_order order = {.who = &who, .user = visit->asker->user.name};
    const struct claim *claim = NULL;
    char note[CLAIM_NOTE_SIZE] = "";
    struct why why = {""};
    json_t *object = NULL;
    int rc = find_machine(visit, &order.machine_id, &who);
    if (!rc)
        rc = web_read_body(visit, &object, &why);
    if (!rc)
        rc = read_order(object, &order, note, &why);
    json_decref(object);
    if (!rc) {
        rc = watch_claim(visit->web->watch, &order, &claim, &why);
        audit(visit, "claim", order.gpu, rc, note);
    }
    policy_subject_fini(&who);
    if (rc)
        web_answer_failure(visit, rc, &why, 409, "there is no machine of that name that you may see");
    else
        web_answer_value(visit, 201, watch_claim_json(claim));
}

void web_api_claim_remove(struct web_visit *visit) {
    struct policy_subject who = {.kind = SUBJECT_NOBODY};
    struct why why = {""};
    int64_t machine_id = 0;
    uint64_t gpu = 0;
    int rc = find_machine(visit, &machine_id, &who);
    if (!rc && str_u64(visit->part[1], 0, STATUS_GPUS_MAX - 1, &gpu))
        rc = SP_ENOENT;
    if (!rc) {
        rc = watch_release(visit->web->watch, machine_id, (int64_t)gpu, &who, &why);
        audit(visit, "release", (int64_t)gpu, rc, "");
    }
    policy_subject_fini(&who);
    if (rc)
        web_answer_failure(visit, rc, &why, 409, "there is no machine of that name that you may see");
    else if (page_response_header(visit->response, "Cache-Control", "no-store") == 0)
        visit->response->status = 204;
}

void web_api_wake(struct web_visit *visit) {
    struct policy_subject who = {.kind = SUBJECT_NOBODY};
    struct policy_request login = {.action = ACTION_REACH_SERVICE, .service = "ssh"};
    char through[SP_NAME_SIZE] = "";
    struct why why = {""};
    int rc = find_machine(visit, &login.machine_id, &who);
    if (!rc && !policy_allows(&who, &login)) {
        why_set(&why, "who may log in on a machine may wake it");
        rc = SP_EDENIED;
    } else if (!rc) {
        rc = watch_wake(visit->web->watch, login.machine_id, through, &why);
        if (rc == SP_ENOENT)
            rc = SP_EBUSY; /* the machine is known, but nobody can wake it */
    }
    policy_subject_fini(&who);
    if (why.text[0] || !rc)
        web_audit(visit, visit->asker->user.name, "wake", visit->part[0], rc ? "failed" : "ok", through);
    if (rc)
        web_answer_failure(visit, rc, &why, 409, "there is no machine of that name that you may see");
    else
        web_answer_value(visit, 202, json_pack("{s:s}", "through", through));
}
