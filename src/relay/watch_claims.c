/* Claims: taken, released, over; and which GPUs are free. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/store/claims.h"
#include "sallyport/store/users.h"
#include "watch_local.h"

static void forget_claims(struct watch *watch) {
    size_t cursor = 0;
    for (struct watched *machine; (machine = map_next(watch->machines, &cursor, NULL));) {
        free(machine->claims);
        machine->claims = NULL;
        machine->claim_count = 0;
    }
}

static int append(struct watched *machine, const struct claim *claim) {
    struct claim *claims = reallocarray(machine->claims, machine->claim_count + 1, sizeof *claims);
    if (!claims)
        return SP_ENOMEM;
    machine->claims = claims;
    claims[machine->claim_count++] = *claim;
    return 0;
}

/* Where that GPU is now; what was stored when the machine has not told. */
static void place(const struct watched *machine, struct claim *claim) {
    for (size_t i = 0; i < machine->gpu_count; i++) {
        if (strcmp(machine->gpus[i].id, claim->gpu_id) == 0)
            claim->gpu = machine->gpus[i].index;
    }
}

/* Who cannot log in on the machine any more has no claims there. */
static bool is_good(const struct watch *watch, const struct claim *claim) {
    struct policy_subject who = {.kind = SUBJECT_NOBODY};
    struct policy_request login = {.action = ACTION_REACH_SERVICE, .machine_id = claim->machine_id, .service = "ssh"};
    if (store_user_subject(watch->store, claim->user_id, &who) < 0)
        return true; /* the disk, not the right */
    bool good = policy_allows(&who, &login);
    policy_subject_fini(&who);
    if (!good)
        (void)store_claim_remove(watch->store, claim->machine_id, claim->gpu_id);
    return good;
}

int watch_load_claims(struct watch *watch) {
    struct claim *claims = NULL;
    size_t count = 0;
    int rc = store_claim_list(watch->store, &claims, &count);
    if (rc < 0)
        return rc;
    forget_claims(watch);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct watched *machine = watch_find(watch, claims[i].machine_id);
        if (!machine || !is_good(watch, &claims[i]))
            continue;
        place(machine, &claims[i]);
        rc = append(machine, &claims[i]);
    }
    free(claims);
    return rc;
}

static int64_t idle_before(const struct watched_gpu *gpus, size_t count, const char *id) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(gpus[i].id, id) == 0)
            return gpus[i].idle_since;
    }
    return 0;
}

void watch_place_gpus(struct watched *machine, const struct status *status, int64_t now) {
    struct watched_gpu before[STATUS_GPUS_MAX];
    size_t before_count = machine->gpu_count;
    memcpy(before, machine->gpus, sizeof before);
    machine->gpu_count = 0;
    for (size_t i = 0; i < status->gpu_count && i < STATUS_GPUS_MAX; i++) {
        const struct gpu *gpu = &status->gpus[i];
        struct watched_gpu *place = &machine->gpus[machine->gpu_count++];
        int64_t since = idle_before(before, before_count, gpu->id);
        (void)str_copy(place->id, sizeof place->id, gpu->id);
        place->index = gpu->index;
        place->idle_since = !claim_is_idle(status, gpu) ? 0 : since ? since : now;
    }
    (void)claim_place(machine->claims, machine->claim_count, status);
}

int64_t watch_idle_since(const struct watch *watch, int64_t machine_id, const char *gpu_id) {
    const struct watched *machine = watch ? watch_find(watch, machine_id) : NULL;
    return machine ? idle_before(machine->gpus, machine->gpu_count, gpu_id) : 0;
}

static void drop(struct watched *machine, const struct claim *claim) {
    size_t at = (size_t)(claim - machine->claims);
    machine->claim_count--;
    memmove(&machine->claims[at], &machine->claims[at + 1], (machine->claim_count - at) * sizeof machine->claims[0]);
}

void watch_expire_claims(struct watch *watch, struct watched *machine) {
    int64_t now = watch->config.now();
    bool changed = false;
    for (size_t i = machine->claim_count; i-- > 0;) {
        if (machine->claims[i].until > now)
            continue;
        (void)store_claim_remove(watch->store, machine->id, machine->claims[i].gpu_id);
        drop(machine, &machine->claims[i]);
        changed = true;
    }
    if (changed)
        watch_changed(watch);
}

static const struct watched_gpu *find_gpu(const struct watched *machine, int64_t index) {
    for (size_t i = 0; i < machine->gpu_count; i++) {
        if (machine->gpus[i].index == index)
            return &machine->gpus[i];
    }
    return NULL;
}

static int check_order(const struct watched *machine, const struct watch_order *order, struct why *why) {
    struct policy_request login = {.action = ACTION_REACH_SERVICE, .machine_id = order->machine_id, .service = "ssh"};
    if (!machine) {
        why_set(why, "there is no such machine");
        return SP_ENOENT;
    }
    if (order->who->kind != SUBJECT_USER || !policy_allows(order->who, &login)) {
        why_set(why, "who may log in on %s may claim its GPUs: 'grant USER %s/ssh'", machine->name, machine->name);
        return SP_EDENIED;
    }
    if (!machine->online) {
        why_set(why, "%s is offline: its GPUs are not known", machine->name);
        return SP_ENOENT;
    }
    return claim_check(order->for_s, order->note ? order->note : "", why);
}

/* Puts it into the store, then in the place of `there`, or behind the others. */
static int keep(struct watch *watch, struct watched *machine, const struct claim *there, const struct claim *claim,
                const struct claim **out) {
    int rc = store_claim_put(watch->store, claim);
    if (rc == 0 && !there)
        rc = append(machine, claim);
    if (rc < 0)
        return rc;
    size_t at = there ? (size_t)(there - machine->claims) : machine->claim_count - 1;
    machine->claims[at] = *claim;
    *out = &machine->claims[at];
    watch_changed(watch);
    return 0;
}

int watch_claim(struct watch *watch, const struct watch_order *order, const struct claim **out, struct why *why) {
    struct watched *machine = watch_find(watch, order->machine_id);
    int64_t now = watch->config.now();
    int rc = check_order(machine, order, why);
    if (rc < 0)
        return rc;
    const struct watched_gpu *gpu = find_gpu(machine, order->gpu);
    if (!gpu) {
        why_set(why, "%s has no GPU %lld: 'status %s' shows them", machine->name, (long long)order->gpu, machine->name);
        return SP_ENOENT;
    }
    const struct claim *there = claim_find(machine->claims, machine->claim_count, gpu->id, now);
    if (there && there->user_id != order->who->id) {
        char until[21];
        str_time(until, there->until);
        why_set(why, "%s has claimed GPU %lld of %s until %s", there->user, (long long)order->gpu, machine->name,
                until);
        return SP_EBUSY;
    }
    if (!there && machine->claim_count == CLAIMS_MAX) {
        why_set(why, "there are %d claims on %s already", CLAIMS_MAX, machine->name);
        return SP_EBUSY;
    }
    struct claim claim = {.machine_id = machine->id, .gpu = order->gpu, .since = now};
    if (there)
        claim = *there;
    claim.user_id = order->who->id;
    claim.until = now + (int64_t)order->for_s;
    (void)str_copy(claim.gpu_id, sizeof claim.gpu_id, gpu->id);
    (void)str_copy(claim.user, sizeof claim.user, order->user);
    if (order->note)
        (void)str_copy(claim.note, sizeof claim.note, order->note);
    return keep(watch, machine, there, &claim, out);
}

int watch_release(struct watch *watch, int64_t machine_id, int64_t gpu, const struct policy_subject *who,
                  struct why *why) {
    struct watched *machine = watch_find(watch, machine_id);
    const struct claim *there =
        machine ? claim_find_index(machine->claims, machine->claim_count, gpu, watch->config.now()) : NULL;
    if (!there) {
        why_set(why, "nobody has claimed GPU %lld%s%s", (long long)gpu, machine ? " of " : "",
                machine ? machine->name : "");
        return SP_ENOENT;
    }
    if (!claim_may_release(there, who)) {
        why_set(why, "it is %s's claim: %s or an admin can release it", there->user, there->user);
        return SP_EDENIED;
    }
    int rc = store_claim_remove(watch->store, machine_id, there->gpu_id);
    if (rc < 0 && rc != SP_ENOENT)
        return rc;
    drop(machine, there);
    watch_changed(watch);
    return 0;
}

struct json_t *watch_claim_json(const struct claim *claim) {
    json_t *object = json_pack("{s:I, s:s}", "gpu", (json_int_t)claim->gpu, "user", claim->user);
    if (object && jsonline_set_time(object, "since", claim->since) &&
        jsonline_set_time(object, "until", claim->until) && jsonline_set_text(object, "note", claim->note))
        return object;
    json_decref(object);
    return NULL;
}

static bool is_claimed(const struct machine_view *view, int64_t gpu) {
    for (size_t i = 0; i < view->claim_count; i++) {
        if (view->claims[i].gpu == gpu)
            return true;
    }
    return false;
}

static bool append_free(const struct watch *watch, json_t *array, const struct machine_view *view,
                        const struct gpu *gpu) {
    json_t *object = json_pack("{s:s, s:I}", "machine", view->name, "gpu", (json_int_t)gpu->index);
    bool good = object && jsonline_set_text(object, "name", gpu->name) &&
                jsonline_set_time(object, "idle_since", watch_idle_since(watch, view->machine_id, gpu->id));
    if (good && gpu->memory_total_bytes >= 0)
        good = json_object_set_new(object, "memory_total_bytes", json_integer(gpu->memory_total_bytes)) == 0;
    if (good)
        return json_array_append_new(array, object) == 0;
    json_decref(object);
    return false;
}

struct json_t *watch_free_gpus(const struct watch *watch, const struct machine_view *views, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < count; i++) {
        const struct status *status = views[i].online ? views[i].status : NULL;
        for (size_t g = 0; array && status && g < status->gpu_count; g++) {
            const struct gpu *gpu = &status->gpus[g];
            if (is_claimed(&views[i], gpu->index) || !claim_is_idle(status, gpu))
                continue;
            if (!append_free(watch, array, &views[i], gpu)) {
                json_decref(array);
                array = NULL;
            }
        }
    }
    return array;
}
