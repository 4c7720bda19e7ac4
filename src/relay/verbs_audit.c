/* audit: what is in the audit trail, the newest at the end, where a terminal shows it. */
#include <jansson.h>
#include <stdlib.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/store/audit.h"
#include "verbs_local.h"

enum { LAST_DEFAULT = 50, LAST_MAX = 10000 };

static json_t *row_json(const struct audit_row *row) {
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s}", "actor", row->actor, "action", row->action, "object",
                               row->object, "outcome", row->outcome, "detail", row->detail);
    if (object && jsonline_set_time(object, "time", row->time))
        return object;
    json_decref(object);
    return NULL;
}

static int print_json(const struct verb_call *call, const struct audit_row *rows, size_t count) {
    json_t *array = json_array();
    size_t left = count;
    while (left > 0 && json_array_append_new(array, row_json(&rows[left - 1])) == 0)
        left--;
    if (left > 0) {
        json_decref(array);
        array = NULL;
    }
    return verb_print_json(call, array);
}

static int print_table(const struct verb_call *call, const struct audit_row *rows, size_t count) {
    static const char *const headings[] = {"TIME", "WHO", "DID", "TO", "OUTCOME", "DETAIL"};
    struct table table;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = count; i-- > 0;) {
        char when[21];
        verb_time(when, rows[i].time);
        table_row(&table, (const char *[]){when, rows[i].actor, rows[i].action, rows[i].object, rows[i].outcome,
                                           rows[i].detail});
    }
    return verb_print(call, &table);
}

int verb_audit_list(struct verb_call *call) {
    struct audit_row *rows;
    size_t count;
    uint64_t limit = LAST_DEFAULT;
    if (call->last && str_u64(call->last, 1, LAST_MAX, &limit)) {
        verb_say(call, "--last wants a count from 1 to %d, not '%s'", LAST_MAX, call->last);
        return VERB_USAGE;
    }
    int rc = store_audit_list(call->store, call->count > 0 ? call->args[0] : NULL, limit, &rows, &count);
    if (rc)
        return verb_end(call, rc);
    int status = call->json ? print_json(call, rows, count) : print_table(call, rows, count);
    free(rows);
    return status;
}
