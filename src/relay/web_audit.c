/* What browsers do, in the audit. */
#include <stdio.h>
#include <string.h>

#include "sallyport/base/log.h"
#include "sallyport/store/audit.h"
#include "web_local.h"

enum { ONCE_S = 600 };

void web_audit_add(struct web *web, const char *actor, const char *action, const char *object, const char *outcome,
                   const char *detail) {
    struct audit_entry entry = {
        .time = web->now(), .actor = actor, .action = action, .object = object, .outcome = outcome, .detail = detail};
    if (store_audit_add(web->source.store, &entry))
        log_error("web: the audit could not be written");
}

/* Was it said within the last minutes? If not, it is now. */
static bool is_said(struct web *web, const char *what) {
    struct web_said *place = &web->said[0];
    int64_t now = web->now();
    for (size_t i = 0; i < WEB_SAID_MAX; i++) {
        struct web_said *said = &web->said[i];
        int64_t age = now - said->when;
        if (age >= 0 && age < ONCE_S && strcmp(said->what, what) == 0)
            return true;
        if (said->when < place->when)
            place = said;
    }
    place->when = now;
    snprintf(place->what, sizeof(place->what), "%s", what);
    return false;
}

void web_audit_once(struct web *web, const char *actor, const char *action, const char *object, const char *outcome,
                    const char *detail) {
    char what[WEB_SAID_SIZE];
    snprintf(what, sizeof(what), "%.40s\n%.40s\n%.70s\n%.20s", actor, action, object, outcome);
    if (!is_said(web, what))
        web_audit_add(web, actor, action, object, outcome, detail);
}
