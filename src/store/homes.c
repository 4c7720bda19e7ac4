/* The tables of machines' homes and networks. */
#include "sallyport/store/homes.h"

#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "store_impl.h"

/* One row a network, or one without any. */
static void read_row(struct query *query, struct home *home) {
    home->machine_id = query_get_int(query, 0);
    home->asleep = query_get_int(query, 1) != 0;
    query_get_text(query, 2, home->observed, sizeof(home->observed));
    if (query_is_null(query, 3) || home->lan.count == LINK_NETWORKS_MAX)
        return;
    struct link_network *network = &home->lan.list[home->lan.count++];
    query_get_text(query, 3, network->mac, sizeof(network->mac));
    query_get_text(query, 4, network->network, sizeof(network->network));
}

int store_home_list(struct store *store, struct home **out, size_t *count) {
    struct rows rows = {.size = sizeof(struct home)};
    struct query query;
    struct home *home = NULL;
    void *items;
    query_begin(&query, store, STATEMENT_HOME_LIST,
                "SELECT home.machine_id, asleep, observed, mac, network FROM home"
                " LEFT JOIN network ON network.machine_id = home.machine_id ORDER BY home.machine_id, network.rowid");
    while (query_row(&query)) {
        if (!home || home->machine_id != query_get_int(&query, 0))
            home = rows_add(&rows, &query);
        if (!home)
            break;
        read_row(&query, home);
    }
    int rc = rows_end(&rows, &query, &items, count);
    if (!rc)
        *out = items;
    return rc;
}

static int put_networks(struct store *store, const struct home *home) {
    struct query query;
    query_begin(&query, store, STATEMENT_NETWORK_REMOVE, "DELETE FROM network WHERE machine_id = ?");
    query_int(&query, home->machine_id);
    int rc = query_run(&query);
    for (size_t i = 0; !rc && i < home->lan.count; i++) {
        query_begin(&query, store, STATEMENT_NETWORK_ADD,
                    "INSERT INTO network (machine_id, mac, network) VALUES (?, ?, ?)");
        query_int(&query, home->machine_id);
        query_text(&query, home->lan.list[i].mac);
        query_text(&query, home->lan.list[i].network);
        rc = query_run(&query);
    }
    return rc;
}

int store_home_put(struct store *store, const struct home *home) {
    struct query query;
    int rc = light_begin(store);
    if (rc)
        return rc;
    query_begin(&query, store, STATEMENT_HOME_PUT,
                "INSERT INTO home (machine_id, asleep, observed) VALUES (?, ?, ?)"
                " ON CONFLICT (machine_id) DO UPDATE SET asleep = excluded.asleep, observed = excluded.observed");
    query_int(&query, home->machine_id);
    query_int(&query, home->asleep);
    query_text(&query, home->observed);
    rc = query_run(&query);
    if (!rc)
        rc = put_networks(store, home);
    return light_end(store, rc);
}
