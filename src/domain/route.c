/* Names of routes. */
#include "sallyport/domain/route.h"

#include <stddef.h>

const char *route_name(enum route route) {
    switch (route) {
    case ROUTE_LAN:
        return "lan";
    case ROUTE_DIRECT:
        return "direct";
    case ROUTE_PUNCHED:
        return "punched";
    case ROUTE_RELAYED:
        return "relayed";
    case ROUTE_NONE:
        break;
    }
    return NULL;
}
