/* Which tickets were used. */
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/list.h"
#include "sallyport/base/map.h"
#include "sallyport/base/secret.h"
#include "sallyport/domain/ticket.h"

struct use {
    struct list link;
    int64_t expires;
    char id[2 * TICKET_ID_SIZE + 1]; /* in hex: its key */
};

struct ticket_uses {
    struct map *ids;
    struct list uses; /* in the order of their use */
    size_t most;
};

int ticket_uses_new(size_t most, struct ticket_uses **out) {
    struct ticket_uses *uses = calloc(1, sizeof(*uses));
    if (!uses)
        return SP_ENOMEM;
    if (map_new(&uses->ids)) {
        free(uses);
        return SP_ENOMEM;
    }
    uses->most = most;
    list_init(&uses->uses);
    *out = uses;
    return 0;
}

static void forget(struct ticket_uses *uses, struct use *use) {
    (void)map_remove(uses->ids, use->id);
    list_remove(&use->link);
    free(use);
}

void ticket_uses_free(struct ticket_uses *uses) {
    struct list *node, *next;
    if (!uses)
        return;
    list_foreach (node, next, &uses->uses)
        forget(uses, list_item(node, struct use, link));
    map_free(uses->ids);
    free(uses);
}

/* All of them live about equally long, so those in front expire first: one that stays longer only holds up others for
 * as long as a ticket lives. */
static void forget_expired(struct ticket_uses *uses, int64_t now) {
    while (!list_is_empty(&uses->uses)) {
        struct use *first = list_item(uses->uses.next, struct use, link);
        if (first->expires >= now)
            return;
        forget(uses, first);
    }
}

int ticket_use(struct ticket_uses *uses, const struct ticket *ticket, int64_t now) {
    /* Beyond its moment it may have been forgotten. */
    if (ticket->expires < now || ticket->expires - TICKET_LIFE_S - TICKET_SLACK_S > now)
        return SP_EEXPIRED;
    forget_expired(uses, now);
    struct use *use = calloc(1, sizeof(*use));
    if (!use)
        return SP_ENOMEM;
    use->expires = ticket->expires;
    list_init(&use->link);
    hex_encode(use->id, ticket->id, TICKET_ID_SIZE);
    int rc = SP_EEXIST;
    if (map_get(uses->ids, use->id))
        goto out;
    rc = SP_EBUSY;
    if (map_count(uses->ids) >= uses->most)
        goto out;
    rc = map_put(uses->ids, use->id, use);
    if (rc)
        goto out;
    list_append(&uses->uses, &use->link);
    use = NULL;
out:
    free(use);
    return rc;
}
