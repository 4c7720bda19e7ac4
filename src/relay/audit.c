#include "relay_local.h"
#include "sallyport/base/os.h"

void relay_audit(struct relay *relay, const char *actor, const char *action, const char *object, const char *outcome,
                 const char *detail) {
    struct audit_entry entry = {.time = os_realtime_s(),
                                .actor = actor,
                                .action = action,
                                .object = object,
                                .outcome = outcome,
                                .detail = detail};
    (void)store_audit_add(relay->store, &entry);
}
