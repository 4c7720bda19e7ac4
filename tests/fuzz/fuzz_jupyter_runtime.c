/* Jupyter's runtime files and answers: any bytes are refused, or give text that may be shown and put into a URL. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/probe/jupyter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_base_url(const char *url) {
    size_t len = strlen(url);
    return len > 0 && url[0] == '/' && url[len - 1] == '/' && strpbrk(url, " \"'<>\r\n") == NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct jupyter_server server;
    char version[32], base_url[64];
    const char *text = (const char *)data;
    if (jupyter_parse_runtime(text, size, &server) == 0) {
        bool good = server.listener.port != 0 && server.pid > 0 && is_base_url(server.base_url) &&
                    str_is_clean(server.root_dir, strlen(server.root_dir)) &&
                    str_is_clean(server.token, strlen(server.token)) &&
                    str_is_clean(server.version, strlen(server.version));
        if (!good)
            abort();
    }
    if (jupyter_parse_api(text, size, version) == 0 && !str_is_clean(version, strlen(version)))
        abort();
    if (jupyter_parse_elsewhere(text, size, base_url, sizeof base_url) == 0 && !is_base_url(base_url))
        abort();
    return 0;
}
