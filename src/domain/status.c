/* Reading and writing a status follows from the tables in status_members.c. */
#include "sallyport/domain/status.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/err.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"

/* Beyond this a number is an error of whoever measured. */
#define INTEGER_MAX ((int64_t)1 << 60)
#define REAL_MAX 1e12

static const void *at(const void *base, size_t offset) {
    return (const char *)base + offset;
}
static void *at_mutable(void *base, size_t offset) {
    return (char *)base + offset;
}
static int64_t integer_of(const void *base, const struct status_member *member) {
    return *(const int64_t *)at(base, member->offset);
}

static size_t *count_of(struct status *status, const struct status_list *list) {
    return at_mutable(status, list->count_offset);
}
static void **items_of(struct status *status, const struct status_list *list) {
    return at_mutable(status, list->items_offset);
}
static const char *item_of(const struct status *status, const struct status_list *list, size_t i) {
    return *(const char *const *)at(status, list->items_offset) + i * list->item_size;
}
static size_t count_in(const struct status *status, const struct status_list *list) {
    return *(const size_t *)at(status, list->count_offset);
}

double status_number(const void *base, const struct status_member *member) {
    switch (member->type) {
    case STATUS_INTEGER:
        return integer_of(base, member) < 0 ? (double)NAN : (double)integer_of(base, member);
    case STATUS_TIME:
        return integer_of(base, member) <= 0 ? (double)NAN : (double)integer_of(base, member);
    case STATUS_REAL:
    case STATUS_SHARE:
        return *(const double *)at(base, member->offset);
    case STATUS_FLAG:
        return *(const bool *)at(base, member->offset) ? 1 : 0;
    case STATUS_TEXT:
    case STATUS_BITS:
        break;
    }
    return (double)NAN;
}

const char *process_owner(const struct process *process) {
    return process->person[0] ? process->person : process->user;
}

bool process_is_on(const struct process *process, int64_t gpu) {
    return !process->ended && gpu >= 0 && gpu < STATUS_GPUS_MAX && process->gpus >> gpu & 1;
}

/* Nothing is known. */
static void members_init(void *base, const struct status_member *member) {
    for (; member->name; member++) {
        if (member->type == STATUS_INTEGER || member->type == STATUS_TIME)
            *(int64_t *)at_mutable(base, member->offset) = STATUS_UNKNOWN;
        else if (member->type == STATUS_REAL || member->type == STATUS_SHARE)
            *(double *)at_mutable(base, member->offset) = (double)NAN;
    }
}

void status_init(struct status *status) {
    memset(status, 0, sizeof(*status));
    members_init(status, status_members);
}

void status_fini(struct status *status) {
    for (const struct status_list *list = status_lists; list->name; list++)
        free(*items_of(status, list));
    status_init(status);
}

bool status_is_empty(const struct status *status) {
    for (const struct status_member *member = status_members; member->name; member++) {
        bool text = member->type == STATUS_TEXT;
        if (text ? *(const char *)at(status, member->offset) != '\0' : isfinite(status_number(status, member)))
            return false;
    }
    for (const struct status_list *list = status_lists; list->name; list++) {
        if (count_in(status, list) > 0)
            return false;
    }
    return true;
}

static const struct status_list *list_find(const char *name) {
    const struct status_list *list = status_lists;
    while (list->name && strcmp(list->name, name) != 0)
        list++;
    return list->name ? list : NULL;
}

/* The place behind the last item, blank; it counts only once the count is raised. NULL: full, or out of memory. */
static void *list_room(struct status *status, const struct status_list *list) {
    size_t count = *count_of(status, list);
    if (count >= list->max)
        return NULL;
    /* Grown in powers of two, so that only at those it may have to move. */
    if ((count & (count - 1)) == 0) {
        size_t room = count ? 2 * count : 1;
        void *grown = realloc(*items_of(status, list), room * list->item_size);
        if (!grown)
            return NULL;
        *items_of(status, list) = grown;
    }
    char *item = (char *)*items_of(status, list) + count * list->item_size;
    memset(item, 0, list->item_size);
    members_init(item, list->members);
    return item;
}

void *status_add(struct status *status, const char *name) {
    const struct status_list *list = list_find(name);
    void *item = list ? list_room(status, list) : NULL;
    if (item)
        ++*count_of(status, list);
    return item;
}

int status_copy(const struct status *status, struct status *out) {
    struct status copy = *status;
    for (const struct status_list *list = status_lists; list->name; list++)
        *items_of(&copy, list) = NULL;
    for (const struct status_list *list = status_lists; list->name; list++) {
        size_t count = count_in(status, list), room = 1;
        if (count == 0)
            continue;
        while (room < count) /* what list_room counts on */
            room *= 2;
        void *items = malloc(room * list->item_size);
        if (!items) {
            status_fini(&copy);
            return SP_ENOMEM;
        }
        memcpy(items, item_of(status, list, 0), count * list->item_size);
        *items_of(&copy, list) = items;
    }
    *out = copy;
    return 0;
}

/* "gpus":[0,1]; nothing for no bit. False when out of memory. */
static bool put_bits(json_t *object, const char *name, uint32_t bits) {
    if (bits == 0)
        return true;
    json_t *array = json_array();
    if (json_object_set_new(object, name, array))
        return false;
    for (int i = 0; i < 32; i++) {
        if (bits >> i & 1 && json_array_append_new(array, json_integer(i)))
            return false;
    }
    return true;
}

static bool put_member(json_t *object, const void *base, const struct status_member *member) {
    double number = status_number(base, member);
    switch (member->type) {
    case STATUS_INTEGER:
        return isnan(number) || json_object_set_new(object, member->name, json_integer(integer_of(base, member))) == 0;
    case STATUS_REAL:
    case STATUS_SHARE:
        return !isfinite(number) || json_object_set_new(object, member->name, json_real(number)) == 0;
    case STATUS_TIME:
        return isnan(number) || jsonline_set_time(object, member->name, integer_of(base, member));
    case STATUS_FLAG: /* false goes without saying */
        return number < 1 || json_object_set_new(object, member->name, json_true()) == 0;
    case STATUS_BITS:
        return put_bits(object, member->name, *(const uint32_t *)at(base, member->offset));
    case STATUS_TEXT:
        return jsonline_set_text(object, member->name, at(base, member->offset));
    }
    return true;
}

static bool put_members(json_t *object, const void *base, const struct status_member *member, unsigned extent) {
    for (; member->name; member++) {
        if (!(member->is_private && extent & STATUS_DISCREET) && !put_member(object, base, member))
            return false;
    }
    return true;
}

static bool is_told(const struct status_list *list, const void *item, unsigned extent) {
    const struct process *process = item;
    return !(extent & STATUS_SHORT) || strcmp(list->name, "processes") != 0 || process->gpus != 0;
}

static bool is_list_told(const struct status_list *list, unsigned extent) {
    return !(extent & STATUS_SHORT) || strcmp(list->name, "filesystems") == 0 || strcmp(list->name, "gpus") == 0 ||
           strcmp(list->name, "processes") == 0;
}

static bool put_list(json_t *object, const struct status *status, const struct status_list *list, unsigned extent) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < count_in(status, list); i++) {
        const char *item = item_of(status, list, i);
        if (!is_told(list, item, extent))
            continue;
        json_t *told = json_object();
        if (!told || !put_members(told, item, list->members, extent)) {
            json_decref(told);
            json_decref(array);
            return false;
        }
        /* A mount point may be any bytes: one that is not UTF-8 cannot be told. */
        if (!json_object_get(told, list->key))
            json_decref(told);
        else if (json_array_append_new(array, told)) {
            json_decref(array);
            return false;
        }
    }
    if (array && json_array_size(array) == 0) {
        json_decref(array);
        return true;
    }
    return json_object_set_new(object, list->name, array) == 0;
}

struct json_t *status_to_json(const struct status *status, unsigned extent) {
    json_t *object = json_object();
    bool good = object && put_members(object, status, status_members, extent);
    for (const struct status_list *list = status_lists; good && list->name; list++)
        good = !is_list_told(list, extent) || put_list(object, status, list, extent);
    if (!good) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static uint32_t get_bits(const json_t *array) {
    uint32_t bits = 0;
    for (size_t i = 0; i < json_array_size(array) && i < 32; i++) {
        const json_t *bit = json_array_get(array, i);
        json_int_t value = json_integer_value(bit);
        if (json_is_integer(bit) && value >= 0 && value < STATUS_GPUS_MAX)
            bits |= UINT32_C(1) << value;
    }
    return bits;
}

static void get_member(const json_t *object, void *base, const struct status_member *member) {
    const json_t *value = json_object_get(object, member->name);
    void *to = at_mutable(base, member->offset);
    switch (member->type) {
    case STATUS_INTEGER:
        (void)jsonline_integer(object, member->name, 0, INTEGER_MAX, to);
        break;
    case STATUS_REAL:
    case STATUS_SHARE:
        if (json_is_number(value) && json_number_value(value) >= 0 &&
            json_number_value(value) <= (member->type == STATUS_SHARE ? 1 : REAL_MAX))
            *(double *)to = json_number_value(value);
        break;
    case STATUS_TIME:
        (void)jsonline_time(object, member->name, to);
        break;
    case STATUS_FLAG:
        *(bool *)to = json_is_true(value);
        break;
    case STATUS_BITS:
        *(uint32_t *)to = get_bits(value);
        break;
    case STATUS_TEXT:
        (void)jsonline_text(object, member->name, to, member->size);
        break;
    }
}

static void get_members(const json_t *object, void *base, const struct status_member *member) {
    for (; member->name; member++)
        get_member(object, base, member);
}

/* Its key is known, and none of the items so far has it. */
static bool has_key(const struct status *status, const void *item, const struct status_list *list) {
    const struct status_member *key = list->members;
    while (strcmp(key->name, list->key) != 0)
        key++;
    const char *text = at(item, key->offset);
    bool is_text = key->type == STATUS_TEXT;
    if (is_text ? text[0] == '\0' : !isfinite(status_number(item, key)))
        return false;
    for (size_t i = 0; i < count_in(status, list); i++) {
        const char *other = item_of(status, list, i);
        if (is_text ? strcmp(at(other, key->offset), text) == 0 : integer_of(other, key) == integer_of(item, key))
            return false;
    }
    return true;
}

static int get_list(const json_t *array, struct status *status, const struct status_list *list) {
    size_t told = json_array_size(array); /* 0 for whatever is no array */
    for (size_t i = 0; i < told && *count_of(status, list) < list->max; i++) {
        void *item = list_room(status, list);
        if (!item)
            return SP_ENOMEM;
        get_members(json_array_get(array, i), item, list->members);
        if (has_key(status, item, list))
            ++*count_of(status, list);
    }
    return 0;
}

int status_from_json(const struct json_t *object, struct status *out) {
    struct status status;
    int rc = 0;
    status_init(&status);
    get_members(object, &status, status_members);
    for (const struct status_list *list = status_lists; !rc && list->name; list++)
        rc = get_list(json_object_get(object, list->name), &status, list);
    if (rc) {
        status_fini(&status);
        return rc;
    }
    *out = status;
    return 0;
}
