#include "publish_memory.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"

enum { FILE_MAX = 16384, VERSION = 1, DEPTH = 4 };

static const char file_name[] = "published.json";

static bool read_entries(const json_t *object, struct publish_memory *out) {
    const json_t *array = json_object_get(object, "services");
    struct publish_memory memory = {.count = 0};
    int64_t version, port, uid;
    if (!jsonline_integer(object, "version", VERSION, VERSION, &version) || !json_is_array(array))
        return false;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        char name[SP_NAME_SIZE];
        if (!jsonline_text(item, "name", name, sizeof name) || service_name_check(name, NULL) < 0 ||
            !jsonline_integer(item, "port", 1, UINT16_MAX, &port) ||
            !jsonline_integer(item, "uid", 0, UINT32_MAX, &uid) ||
            publish_memory_add(&memory, name, (uint16_t)port, (uid_t)uid) < 0)
            return false;
    }
    *out = memory;
    return true;
}

bool publish_memory_load(const char *state, struct publish_memory *out) {
    char path[4200];
    struct buf text;
    json_t *object = NULL;
    *out = (struct publish_memory){.count = 0};
    buf_init(&text);
    int rc = os_path(path, sizeof path, state, file_name);
    if (rc == 0)
        rc = os_read_file(path, FILE_MAX, &text);
    bool missing = rc == SP_ESYS && errno == ENOENT;
    bool good = rc == 0 && jsonline_read((const char *)buf_head(&text), buf_len(&text), DEPTH, &object, NULL) == 0 &&
                read_entries(object, out);
    json_decref(object);
    buf_fini(&text);
    return missing || good;
}

int publish_memory_save(const char *state, const struct publish_memory *memory) {
    char path[4200];
    int rc = os_path(path, sizeof path, state, file_name);
    json_t *object = json_pack("{s:i,s:[]}", "version", VERSION, "services");
    json_t *array = json_object_get(object, "services");
    for (size_t i = 0; object && i < memory->count; i++) {
        json_t *item = json_pack("{s:s,s:i,s:I}", "name", memory->list[i].name, "port", (int)memory->list[i].port,
                                 "uid", (json_int_t)memory->list[i].uid);
        if (json_array_append_new(array, item)) {
            json_decref(object);
            object = NULL;
        }
    }
    char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
    if (!text)
        rc = SP_ENOMEM;
    if (rc == 0)
        rc = os_write_file(path, text, strlen(text), 0600);
    free(text);
    json_decref(object);
    return rc;
}

int publish_memory_remove(const char *state) {
    char path[4200];
    int rc = os_path(path, sizeof path, state, file_name);
    if (rc < 0)
        return rc;
    return unlink(path) < 0 && errno != ENOENT ? SP_ESYS : 0;
}

bool publish_memory_has(const struct publish_memory *memory, const char *name, uint16_t port) {
    for (size_t i = 0; i < memory->count; i++)
        if (memory->list[i].port == port && strcmp(memory->list[i].name, name) == 0)
            return true;
    return false;
}

/* Those with that name or that port, unless both must be so. How many were there. */
static size_t drop(struct publish_memory *memory, const char *name, uint16_t port, bool both) {
    size_t left = 0, before = memory->count;
    for (size_t i = 0; i < before; i++) {
        bool same_name = strcmp(memory->list[i].name, name) == 0, same_port = memory->list[i].port == port;
        if (both ? !(same_name && same_port) : !(same_name || same_port))
            memory->list[left++] = memory->list[i];
    }
    memory->count = left;
    return before - left;
}

int publish_memory_add(struct publish_memory *memory, const char *name, uint16_t port, uid_t uid) {
    (void)drop(memory, name, port, false);
    if (memory->count == SERVICES_MAX)
        return SP_ETOOBIG;
    struct publish_entry *entry = &memory->list[memory->count];
    int rc = str_copy(entry->name, sizeof entry->name, name);
    if (rc < 0)
        return rc;
    entry->port = port;
    entry->uid = uid;
    memory->count++;
    return 0;
}

int publish_memory_drop(struct publish_memory *memory, const char *name, uint16_t port) {
    return drop(memory, name, port, true) > 0 ? 0 : SP_ENOENT;
}
