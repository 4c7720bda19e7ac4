/* Docker's answers about a container: any bytes are refused, or give a name as such names are. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "containers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    char name[CONTAINER_NAME_SIZE];
    if (containers_parse((const char *)data, size, id, name) != 0)
        return 0;
    if (!isalnum((unsigned char)name[0]) || strlen(name) >= sizeof name)
        abort();
    for (const char *p = name; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr("_.-", *p) == NULL)
            abort();
    return 0;
}
