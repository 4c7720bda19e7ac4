#include <jansson.h>

#include "gpu_local.h"
#include "sallyport/base/err.h"
#include "sallyport/domain/jsonline.h"

int gpu_message_read(const char *bytes, size_t n, struct status *out) {
    enum { DEPTH = 4 };
    json_t *object;
    if (n > GPU_MESSAGE_MAX)
        return SP_ETOOBIG;
    int rc = jsonline_read(bytes, n, DEPTH, &object, NULL);
    if (rc != 0)
        return rc;
    rc = status_from_json(object, out);
    json_decref(object);
    return rc;
}
