/* publish, unpublish: what may be reached of that which a machine has found. */
#include <stdio.h>

#include "sallyport/store/machines.h"
#include "verbs_local.h"

static int order(struct verb_call *call, bool published) {
    const char *service = call->args[1];
    char object[2 * SP_NAME_SIZE + 2];
    struct machine machine;
    struct why why = {""};
    int rc = store_machine_find(call->store, call->args[0], &machine);
    if (rc == SP_ENOENT)
        return verb_fail(call, "there is no machine '%s': 'list' shows them", call->args[0]);
    if (rc)
        return verb_end(call, rc);
    if (service_name_check(service, &why))
        return verb_fail(call, "%s", why.text);
    snprintf(object, sizeof(object), "%s/%s", machine.name, service);
    rc = call->verbs->publish(call->verbs->ctx, &machine, service, published, &why);
    int status = verb_changed(call, rc, object, NULL, &why);
    if (!status)
        verb_say(call, "%s is told to publish %s%s: 'status %s' shows it in a moment", machine.name, service,
                 published ? "" : " no more", machine.name);
    return status;
}

int verb_publish(struct verb_call *call) {
    return order(call, true);
}

int verb_unpublish(struct verb_call *call) {
    return order(call, false);
}
