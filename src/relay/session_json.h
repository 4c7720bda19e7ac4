/* A browser's session as JSON: the same for the verb and for the API. */
#ifndef SALLYPORT_RELAY_SESSION_JSON_H
#define SALLYPORT_RELAY_SESSION_JSON_H

#include "sallyport/store/logins.h"

struct json_t;

/* {"id","address","agent","created","last_used","expires"}; the caller's. NULL: out of memory. */
struct json_t *session_json(const struct session_row *row);

#endif
