/* An admin's order to publish what a machine has found, or to publish it no more: may it be, and how it gets there. */
#include <string.h>

#include "relay_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

/* Why the service as it is cannot be changed so; 0: it can. */
static int check(const struct service *service, const char *machine, bool published, struct why *why) {
    if (service->found != published) {
        why_set(why, "%s of %s is %s", service->name, machine,
                published ? "published already" : "not published: it was only found");
        return SP_EEXIST;
    }
    if (service->changeable)
        return 0;
    if (published)
        why_set(why,
                "%s leaves it to its own configuration what is published: write [service %s], port = %u and kind = "
                "http into agent.ini there",
                machine, service->name, service->port);
    else
        why_set(why,
                "%s of %s was not published from here, but by the machine: publish = no in [service %s] of its "
                "agent.ini keeps it there",
                service->name, machine, service->name);
    return SP_EDENIED;
}

int publish_order(void *ctx, const struct machine *machine, const char *service, bool published, struct why *why) {
    struct machine_live *live = machine_find(ctx, machine->id);
    if (!live) {
        machine_say_offline(machine, os_realtime_s(), why);
        return SP_ECLOSED;
    }
    const struct service *shown = service_find(live->shown, live->shown_count, service);
    if (!shown) {
        why_set(why, "%s has no service '%s': `status %s` shows what it has, and what was found there", live->name,
                service, live->name);
        return SP_ENOENT;
    }
    int rc = check(shown, live->name, published, why);
    if (rc < 0)
        return rc;
    struct link_publish order = {.port = shown->port, .published = published};
    (void)str_copy(order.service, sizeof order.service, shown->name);
    rc = link_tell_publish(live, &order);
    if (rc < 0)
        why_set(why, "%s does not listen to orders at the moment: try again", live->name);
    return rc;
}
