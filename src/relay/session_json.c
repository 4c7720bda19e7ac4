#include "session_json.h"

#include <jansson.h>

#include "sallyport/domain/jsonline.h"

struct json_t *session_json(const struct session_row *row) {
    json_t *object =
        json_pack("{s:I, s:s, s:s}", "id", (json_int_t)row->id, "address", row->address, "agent", row->agent);
    if (object && jsonline_set_time(object, "created", row->created) &&
        jsonline_set_time(object, "last_used", row->last_used) && jsonline_set_time(object, "expires", row->expires))
        return object;
    json_decref(object);
    return NULL;
}
