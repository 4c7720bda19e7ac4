#include "reach_memory.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"

enum { FILE_MAX = 8192, VERSION = 1, DEPTH = 4 };

static const char file_name[] = "reach.json";

static uint64_t number(const json_t *object, const char *member, int64_t max) {
    int64_t value = 0;
    return jsonline_integer(object, member, 0, max, &value) ? (uint64_t)value : 0;
}

static bool portmap_from_json(const json_t *object, const char *boot_id, struct portmap_memory *out) {
    struct portmap_memory made = {.protocol = (enum portmap_protocol)number(object, "protocol", PORTMAP_BY_PCP)};
    const char *nonce = json_string_value(json_object_get(object, "nonce"));
    const char *boot = json_string_value(json_object_get(object, "boot_id"));
    size_t n = 0;
    (void)jsonline_text(object, "gateway", made.gateway, sizeof made.gateway);
    (void)jsonline_text(object, "url", made.url, sizeof made.url);
    (void)jsonline_text(object, "internal_address", made.internal_address, sizeof made.internal_address);
    (void)jsonline_text(object, "external_address", made.external_address, sizeof made.external_address);
    (void)jsonline_text(object, "pinhole", made.pinhole, sizeof made.pinhole);
    if (!nonce || base64url_decode(nonce, strlen(nonce), made.nonce, sizeof made.nonce, &n) < 0 ||
        n != sizeof made.nonce)
        return false;
    made.internal_port = (uint16_t)number(object, "internal_port", UINT16_MAX);
    made.external_port = (uint16_t)number(object, "external_port", UINT16_MAX);
    made.pinhole_id = (uint16_t)number(object, "pinhole_id", UINT16_MAX);
    made.permanent = json_is_true(json_object_get(object, "permanent"));
    if (boot && strcmp(boot, boot_id) == 0) {
        made.epoch = (uint32_t)number(object, "epoch", UINT32_MAX);
        made.epoch_at_ms = number(object, "epoch_at_ms", INT64_MAX);
    }
    *out = made;
    return true;
}

void reach_memory_load(const char *state, const char *boot_id, struct reach_memory *out) {
    char path[4200];
    struct buf text;
    json_t *object = NULL;
    memset(out, 0, sizeof *out);
    buf_init(&text);
    if (os_path(path, sizeof path, state, file_name) == 0 && os_read_file(path, FILE_MAX, &text) == 0 &&
        jsonline_read((const char *)buf_head(&text), buf_len(&text), DEPTH, &object, NULL) == 0 &&
        number(object, "version", INT64_MAX) == VERSION) {
        out->door_port = (uint16_t)number(object, "door_port", UINT16_MAX);
        out->external_port = (uint16_t)number(object, "external_port", UINT16_MAX);
        (void)portmap_from_json(json_object_get(object, "router"), boot_id, &out->portmap);
    }
    json_decref(object);
    buf_fini(&text);
}

int reach_memory_save(const char *state, const char *boot_id, const struct reach_memory *memory) {
    const struct portmap_memory *p = &memory->portmap;
    char path[4200], nonce[BASE64URL_SIZE(sizeof p->nonce)];
    base64url_encode(nonce, p->nonce, sizeof p->nonce);
    int rc = os_path(path, sizeof path, state, file_name);
    json_t *router = json_pack(
        "{s:i,s:s,s:s,s:s,s:i,s:i,s:s,s:s,s:I,s:I,s:b,s:s,s:i,s:s}", "protocol", (int)p->protocol, "gateway",
        p->gateway, "url", p->url, "nonce", nonce, "internal_port", (int)p->internal_port, "external_port",
        (int)p->external_port, "internal_address", p->internal_address, "external_address", p->external_address,
        "epoch", (json_int_t)p->epoch, "epoch_at_ms", (json_int_t)p->epoch_at_ms, "permanent", (int)p->permanent,
        "pinhole", p->pinhole, "pinhole_id", (int)p->pinhole_id, "boot_id", boot_id);
    json_t *object = json_pack("{s:i,s:i,s:i,s:o}", "version", VERSION, "door_port", (int)memory->door_port,
                               "external_port", (int)memory->external_port, "router", router);
    char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
    if (!text)
        rc = SP_ENOMEM;
    if (rc == 0)
        rc = os_write_file(path, text, strlen(text), 0600);
    free(text);
    json_decref(object);
    return rc;
}

bool reach_memory_equal(const struct reach_memory *a, const struct reach_memory *b) {
    const struct portmap_memory *p = &a->portmap, *q = &b->portmap;
    return a->door_port == b->door_port && a->external_port == b->external_port && p->protocol == q->protocol &&
           p->internal_port == q->internal_port && p->external_port == q->external_port &&
           p->permanent == q->permanent && p->pinhole_id == q->pinhole_id && strcmp(p->gateway, q->gateway) == 0 &&
           strcmp(p->url, q->url) == 0 && strcmp(p->internal_address, q->internal_address) == 0 &&
           strcmp(p->external_address, q->external_address) == 0 && strcmp(p->pinhole, q->pinhole) == 0 &&
           memcmp(p->nonce, q->nonce, sizeof p->nonce) == 0;
}
