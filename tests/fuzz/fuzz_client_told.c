/* What the client is told by others: s the relay's answer about a machine, r what Jupyters wrote down on it, any other
 * first byte a Jupyter's answer to its login. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "box_services.h"
#include "jupyter_login.h"
#include "sallyport/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok) {
    if (!ok)
        abort();
}

static void read_services(const char *text, size_t n) {
    struct box_services services;
    if (box_services_parse(text, n, &services))
        return;
    demand(services.count <= SERVICES_MAX);
    for (size_t i = 0; i < services.count; i++) {
        const struct box_service *service = &services.list[i];
        demand(!service_name_check(service->name, NULL) && service->port > 0);
        demand(service->path[0] == '/' && service->path[1] != '/' && !strpbrk(service->path, " \r\n\t"));
    }
}

static void read_list(const char *text, size_t n) {
    struct jupyter_list list;
    jupyter_list_parse(text, n, 8888, &list);
    demand(list.count <= JUPYTER_FOUND_MAX);
    for (size_t i = 0; i < list.count; i++) {
        const struct jupyter_found *found = &list.items[i];
        demand(found->base_url[0] == '/' && !strpbrk(found->base_url, " \r\n\t"));
        demand(!strpbrk(found->token, " \r\n\t"));
    }
}

/* Nothing but whole lines of cookies gets into the answer that we give to the browser. */
static void read_answer(const uint8_t *data, size_t n) {
    static const char begin[] = "Set-Cookie: ";
    struct buf fields;
    buf_init(&fields);
    if (!jupyter_login_answer(data, n, &fields) && buf_len(&fields)) {
        const char *at = buf_string(&fields);
        demand(at && strlen(at) == buf_len(&fields));
        while (*at) {
            const char *end = strstr(at, "\r\n");
            demand(str_starts(at, begin) && end && strcspn(at, "\r\n") == (size_t)(end - at));
            at = end + 2;
        }
    }
    buf_fini(&fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    if (data[0] == 's')
        read_services((const char *)data + 1, size - 1);
    else if (data[0] == 'r')
        read_list((const char *)data + 1, size - 1);
    else
        read_answer(data + 1, size - 1);
    return 0;
}
