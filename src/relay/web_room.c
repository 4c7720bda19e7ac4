/* Who goes when there are too many browsers. */
#include <string.h>

#include "address.h"
#include "web_conn.h"

enum { LOOKS_MAX = 1024 };

/* How little is lost with it. A browser opens a connection that rests anew and shows nothing of it. */
enum worth { WORTH_LITTLE, WORTH_SOME, WORTH_MORE, WORTH_ALL };

static enum worth worth_of(const struct web_conn *conn) {
    bool known = conn->access.known || conn->listener, idle = http_conn_is_idle(conn->http);
    if (conn->ending || (known && !idle))
        return WORTH_ALL;
    return known ? WORTH_MORE : idle ? WORTH_LITTLE : WORTH_SOME;
}

/* The one of those that had a request with which the least is lost, and of several the one whose last was longest ago.
 * Those that have to stay move to the end, so that few are looked at. */
static struct web_conn *find_least(struct web *web, enum worth *worth) {
    struct list *node, *tmp;
    struct web_conn *least = NULL;
    unsigned looks = web->conn_count < LOOKS_MAX ? web->conn_count : LOOKS_MAX;
    *worth = WORTH_ALL;
    list_foreach (node, tmp, &web->conns) {
        struct web_conn *conn = list_item(node, struct web_conn, link);
        enum worth its = worth_of(conn);
        if (*worth == WORTH_LITTLE || looks-- == 0)
            break;
        if (its == WORTH_ALL) {
            list_remove(node);
            list_append(&web->conns, node);
        } else if (its < *worth) {
            *worth = its;
            least = conn;
        }
    }
    return least;
}

/* A network that holds more than half of all, while a guest of another one asks for a place: the longest there of it.
 * One vote each and one pass: what has the majority is left over. */
static struct web_conn *find_crowded(struct web *web, const struct sockaddr_storage *guest) {
    struct list *node, *tmp;
    struct web_conn *crowd = NULL, *first = NULL;
    unsigned votes = 0, count = 0;
    list_foreach (node, tmp, &web->conns) {
        struct web_conn *conn = list_item(node, struct web_conn, link);
        if (!votes)
            crowd = conn;
        if (address_is_neighbour(&crowd->peer, &conn->peer))
            votes++;
        else
            votes--;
    }
    /* Behind a proxy of this machine all have one address. */
    if (!crowd || address_is_neighbour(&crowd->peer, guest) || strcmp(crowd->peer_text, "127.0.0.1") == 0 ||
        strcmp(crowd->peer_text, "::1") == 0)
        return NULL;
    list_foreach (node, tmp, &web->conns) {
        struct web_conn *conn = list_item(node, struct web_conn, link);
        if (conn->ending || !address_is_neighbour(&crowd->peer, &conn->peer))
            continue;
        count++;
        first = first ? first : conn;
    }
    return count > web->conn_max / 2 ? first : NULL;
}

/* Many that have asked nothing yet are a crowd at the door, and push out each other; a few are guests who need a
 * moment. */
struct web_conn *web_room_find(struct web *web, const struct sockaddr_storage *guest) {
    enum worth worth;
    struct web_conn *waiting = list_is_empty(&web->fresh) ? NULL : list_item(web->fresh.next, struct web_conn, link);
    if (web->fresh_count > web->conn_max / 4)
        return waiting;
    struct web_conn *least = find_least(web, &worth);
    if (!least)
        least = find_crowded(web, guest);
    return least ? least : waiting;
}
