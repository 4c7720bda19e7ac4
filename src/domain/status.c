/* The members of a status, declared once: reading and writing follow from the tables. */
#include "sallyport/domain/status.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/err.h"
#include "sallyport/domain/jsonline.h"

/* Beyond this a number is an error of whoever measured. */
#define INTEGER_MAX ((int64_t)1 << 60)
#define REAL_MAX 1e9

struct member {
    const char *name;
    size_t offset;
};

static const struct member reals[] = {
    {"load_1m", offsetof(struct status, load_1m)},
    {"load_5m", offsetof(struct status, load_5m)},
    {"load_15m", offsetof(struct status, load_15m)},
    {NULL, 0},
};

static const struct member integers[] = {
    {"uptime_s", offsetof(struct status, uptime_s)},
    {"cpu_count", offsetof(struct status, cpu_count)},
    {"memory_total_bytes", offsetof(struct status, memory_total_bytes)},
    {"memory_used_bytes", offsetof(struct status, memory_used_bytes)},
    {"swap_total_bytes", offsetof(struct status, swap_total_bytes)},
    {"swap_used_bytes", offsetof(struct status, swap_used_bytes)},
    {NULL, 0},
};

static const struct member filesystem_integers[] = {
    {"total_bytes", offsetof(struct filesystem, total_bytes)},
    {"used_bytes", offsetof(struct filesystem, used_bytes)},
    {"available_bytes", offsetof(struct filesystem, available_bytes)},
    {NULL, 0},
};

static int64_t *integer_at(void *base, const struct member *member) {
    return (int64_t *)(void *)((char *)base + member->offset);
}
static int64_t integer_of(const void *base, const struct member *member) {
    return *(const int64_t *)(const void *)((const char *)base + member->offset);
}
static double *real_at(struct status *status, const struct member *member) {
    return (double *)(void *)((char *)status + member->offset);
}
static double real_of(const struct status *status, const struct member *member) {
    return *(const double *)(const void *)((const char *)status + member->offset);
}

void status_init(struct status *status) {
    *status = (struct status){.filesystems = NULL};
    for (const struct member *member = integers; member->name; member++)
        *integer_at(status, member) = STATUS_UNKNOWN;
    for (const struct member *member = reals; member->name; member++)
        *real_at(status, member) = NAN;
}

void status_fini(struct status *status) {
    free(status->filesystems);
    status_init(status);
}

bool status_is_empty(const struct status *status) {
    for (const struct member *member = integers; member->name; member++) {
        if (integer_of(status, member) >= 0)
            return false;
    }
    for (const struct member *member = reals; member->name; member++) {
        if (isfinite(real_of(status, member)))
            return false;
    }
    return status->filesystem_count == 0;
}

/* False when out of memory. */
static bool put_integers(json_t *object, const void *base, const struct member *member) {
    for (; member->name; member++) {
        int64_t value = integer_of(base, member);
        if (value >= 0 && json_object_set_new(object, member->name, json_integer(value)))
            return false;
    }
    return true;
}

static bool put_filesystems(json_t *object, const struct status *status) {
    json_t *array = json_array();
    if (json_object_set_new(object, "filesystems", array))
        return false;
    for (size_t i = 0; i < status->filesystem_count; i++) {
        const struct filesystem *filesystem = &status->filesystems[i];
        json_t *item = json_pack("{s:s, s:s}", "mount", filesystem->mount, "type", filesystem->type);
        if (!item) /* a mount point may be any bytes: one that is not UTF-8 cannot be told */
            continue;
        if (json_array_append_new(array, item) || !put_integers(item, filesystem, filesystem_integers))
            return false;
    }
    return true;
}

struct json_t *status_to_json(const struct status *status) {
    json_t *object = json_object();
    bool good = object && put_integers(object, status, integers);
    for (const struct member *member = reals; good && member->name; member++) {
        double value = real_of(status, member);
        if (isfinite(value))
            good = json_object_set_new(object, member->name, json_real(value)) == 0;
    }
    if (good && status->filesystem_count > 0)
        good = put_filesystems(object, status);
    if (!good) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static void get_integers(const json_t *object, void *base, const struct member *member) {
    for (; member->name; member++)
        jsonline_integer(object, member->name, 0, INTEGER_MAX, integer_at(base, member));
}

static int get_filesystems(const json_t *array, struct status *status) {
    size_t count = json_array_size(array); /* 0 for whatever is no array */
    if (count == 0)
        return 0;
    if (count > STATUS_FILESYSTEMS_MAX)
        return SP_ETOOBIG;
    status->filesystems = calloc(count, sizeof(*status->filesystems));
    if (!status->filesystems)
        return SP_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, i);
        struct filesystem *filesystem = &status->filesystems[status->filesystem_count];
        for (const struct member *member = filesystem_integers; member->name; member++)
            *integer_at(filesystem, member) = STATUS_UNKNOWN;
        get_integers(item, filesystem, filesystem_integers);
        filesystem->type[0] = '\0';
        jsonline_text(item, "type", filesystem->type, sizeof(filesystem->type));
        if (jsonline_text(item, "mount", filesystem->mount, sizeof(filesystem->mount)) && filesystem->mount[0])
            status->filesystem_count++;
    }
    return 0;
}

int status_from_json(const struct json_t *object, struct status *out) {
    struct status status;
    status_init(&status);
    get_integers(object, &status, integers);
    for (const struct member *member = reals; member->name; member++) {
        const json_t *value = json_object_get(object, member->name);
        double number = json_number_value(value);
        if (json_is_number(value) && number >= 0 && number <= REAL_MAX)
            *real_at(&status, member) = number;
    }
    int rc = get_filesystems(json_object_get(object, "filesystems"), &status);
    if (rc) {
        status_fini(&status);
        return rc;
    }
    *out = status;
    return 0;
}
