/* claim, release, list --free, wake: who takes which GPU, and machines that sleep. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/claim.h"
#include "sallyport/store/machines.h"
#include "verbs_local.h"
#include "watch.h"

/* The machine, if the asker may see it. 0, or an exit status. */
static int find_machine(const struct verb_call *call, const char *name, struct machine *out) {
    struct policy_request see = {.action = ACTION_SEE_MACHINE};
    int rc = store_machine_find(call->store, name, out);
    see.machine_id = rc ? 0 : out->id;
    if (rc == SP_ENOENT || (!rc && !policy_allows(&call->subject, &see)))
        return verb_fail(call, "there is no machine '%s': 'list' shows those that you may see", name);
    return verb_end(call, rc);
}

static int read_gpu(const struct verb_call *call, const char *text, int64_t *out) {
    uint64_t index;
    if (str_u64(text, 0, STATUS_GPUS_MAX - 1, &index)) {
        verb_say(call, "the number of a GPU is wanted, as 'status BOX' shows it, not '%s'", text);
        return VERB_USAGE;
    }
    *out = (int64_t)index;
    return 0;
}

/* Over ssh the words of a note lose their quotes: what follows it belongs to it. 0, or an exit status. */
static int read_note(const struct verb_call *call, char *to, size_t size) {
    size_t used = 0;
    to[0] = '\0';
    if (!call->note && call->count > 2) {
        verb_say(call, "usage: claim %s", call->verb->arguments);
        return VERB_USAGE;
    }
    for (size_t i = 1; i < call->count && call->note; i++) {
        int n = snprintf(to + used, size - used, "%s%s", i > 1 ? " " : "", i > 1 ? call->args[i] : call->note);
        used += (size_t)n;
        if (used >= size)
            return verb_fail(call, "the note is too long: at most %d characters", CLAIM_NOTE_MAX);
    }
    return 0;
}

static int say_claimed(struct verb_call *call, const struct machine *machine, const struct claim *claim) {
    char until[21];
    if (call->json)
        return verb_print_json(call, watch_claim_json(claim));
    str_time(until, claim->until);
    verb_say(call, "GPU %lld of %s is yours until %s", (long long)claim->gpu, machine->name, until);
    return VERB_DONE;
}

int verb_claim(struct verb_call *call) {
    char note[2 * CLAIM_NOTE_SIZE], object[SP_NAME_SIZE + 32];
    struct machine machine;
    struct why why = {""};
    const struct claim *claim = NULL;
    struct watch_order order = {.who = &call->subject, .user = call->who};
    int status = find_machine(call, call->args[0], &machine);
    if (!status)
        status = read_gpu(call, call->args[1], &order.gpu);
    if (!status)
        status = read_note(call, note, sizeof(note));
    if (status)
        return status;
    order.machine_id = machine.id;
    order.for_s = call->duration ? call->duration : CLAIM_DEFAULT_S;
    order.note = call->note ? note : NULL;
    int rc = watch_claim(call->verbs->watch, &order, &claim, &why);
    snprintf(object, sizeof(object), "%s/gpu%lld", machine.name, (long long)order.gpu);
    status = verb_changed(call, rc, object, order.note, &why);
    return status ? status : say_claimed(call, &machine, claim);
}

int verb_release(struct verb_call *call) {
    char object[SP_NAME_SIZE + 32];
    struct machine machine;
    struct why why = {""};
    int64_t gpu = 0;
    int status = find_machine(call, call->args[0], &machine);
    if (!status)
        status = read_gpu(call, call->args[1], &gpu);
    if (status)
        return status;
    int rc = watch_release(call->verbs->watch, machine.id, gpu, &call->subject, &why);
    snprintf(object, sizeof(object), "%s/gpu%lld", machine.name, (long long)gpu);
    status = verb_changed(call, rc, object, NULL, &why);
    if (status)
        return status;
    if (call->json)
        return verb_print_json(call, json_pack("{s:I, s:b}", "gpu", (json_int_t)gpu, "released", 1));
    verb_say(call, "GPU %lld of %s is free for others", (long long)gpu, machine.name);
    return VERB_DONE;
}

static void free_row(struct table *table, const json_t *gpu) {
    char index[24], memory[24] = "";
    const json_t *bytes = json_object_get(gpu, "memory_total_bytes");
    snprintf(index, sizeof(index), "%lld", (long long)json_integer_value(json_object_get(gpu, "gpu")));
    if (bytes)
        str_bytes(memory, sizeof(memory), (uint64_t)json_integer_value(bytes));
    table_row(table, (const char *[]){json_string_value(json_object_get(gpu, "machine")), index,
                                      json_string_value(json_object_get(gpu, "name")), memory,
                                      json_string_value(json_object_get(gpu, "idle_since"))});
}

static int print_free(struct verb_call *call, const json_t *array) {
    static const char *const headings[] = {"MACHINE", "GPU", "NAME", "MEMORY", "IDLE SINCE"};
    struct table table;
    const json_t *gpu;
    size_t i;
    if (json_array_size(array) == 0) {
        verb_say(call, "no GPU is free: all are claimed or in use, or their machines are offline");
        return VERB_DONE;
    }
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    json_array_foreach(array, i, gpu) {
        free_row(&table, gpu);
    }
    return verb_print(call, &table);
}

int verb_list_free(struct verb_call *call) {
    struct overview overview;
    int rc = overview_load(&call->verbs->source, &call->subject, &overview);
    if (rc)
        return verb_end(call, rc);
    json_t *array = watch_free_gpus(call->verbs->watch, overview.views, overview.count);
    overview_fini(&overview);
    if (call->json || !array)
        return verb_print_json(call, array);
    int status = print_free(call, array);
    json_decref(array);
    return status;
}

int verb_wake(struct verb_call *call) {
    char through[SP_NAME_SIZE];
    struct machine machine;
    struct why why = {""};
    int status = find_machine(call, call->args[0], &machine);
    struct policy_request login = {.action = ACTION_REACH_SERVICE, .service = "ssh"};
    if (status)
        return status;
    login.machine_id = machine.id;
    if (!policy_allows(&call->subject, &login)) {
        verb_audit(call, machine.name, "refused", "policy");
        return verb_fail(call, "who may log in on %s may wake it", machine.name);
    }
    int rc = watch_wake(call->verbs->watch, machine.id, through, &why);
    status = verb_changed(call, rc, machine.name, rc ? "" : through, &why);
    if (!status)
        verb_say(call, "%s has called %s awake: it comes in a minute or so, if it can", through, machine.name);
    return status;
}
