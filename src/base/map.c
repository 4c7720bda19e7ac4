#include "sallyport/base/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/err.h"
#include "sallyport/base/secret.h"
#include "siphash.h"

#define MAP_SMALLEST 16

/* Open addressing with linear probing. Removal moves later entries back, so there are no tombstones. */
struct entry {
    char *key; /* owned; NULL: free */
    void *value;
    uint64_t hash;
};

struct map {
    struct entry *entries;
    size_t size; /* a power of two */
    size_t count;
    uint64_t seed[2];
};

int map_new(struct map **out) {
    struct map *map = calloc(1, sizeof(*map));
    if (!map)
        return SP_ENOMEM;
    map->size = MAP_SMALLEST;
    map->entries = calloc(map->size, sizeof(*map->entries));
    int rc = map->entries ? secret_random(map->seed, sizeof(map->seed)) : SP_ENOMEM;
    if (rc) {
        map_free(map);
        return rc;
    }
    *out = map;
    return 0;
}

void map_free(struct map *map) {
    if (!map)
        return;
    for (size_t i = 0; map->entries && i < map->size; i++)
        free(map->entries[i].key);
    free(map->entries);
    free(map);
}

/* The entry of the key, or the free one where it would go. There always is a free one. */
static struct entry *map_find(const struct map *map, const char *key, uint64_t hash) {
    size_t at = hash & (map->size - 1);
    while (map->entries[at].key && (map->entries[at].hash != hash || strcmp(map->entries[at].key, key) != 0))
        at = (at + 1) & (map->size - 1);
    return &map->entries[at];
}

static int map_grow(struct map *map) {
    struct map bigger = *map;
    bigger.size = map->size * 2;
    bigger.entries = calloc(bigger.size, sizeof(*bigger.entries));
    if (!bigger.entries)
        return SP_ENOMEM;
    for (size_t i = 0; i < map->size; i++) {
        const struct entry *entry = &map->entries[i];
        if (entry->key)
            *map_find(&bigger, entry->key, entry->hash) = *entry;
    }
    free(map->entries);
    *map = bigger;
    return 0;
}

static uint64_t map_hash(const struct map *map, const char *key) {
    return siphash(map->seed, key, strlen(key));
}

void *map_get(const struct map *map, const char *key) {
    return map_find(map, key, map_hash(map, key))->value;
}

int map_put(struct map *map, const char *key, void *value) {
    uint64_t hash = map_hash(map, key);
    struct entry *entry = map_find(map, key, hash);
    if (entry->key) {
        entry->value = value;
        return 0;
    }
    if ((map->count + 1) * 4 > map->size * 3) {
        int rc = map_grow(map);
        if (rc)
            return rc;
        entry = map_find(map, key, hash);
    }
    char *copy = strdup(key);
    if (!copy)
        return SP_ENOMEM;
    *entry = (struct entry){.key = copy, .value = value, .hash = hash};
    map->count++;
    return 0;
}

void *map_remove(struct map *map, const char *key) {
    struct entry *entry = map_find(map, key, map_hash(map, key));
    void *value = entry->value;
    if (!entry->key)
        return NULL;
    free(entry->key);
    map->count--;
    /* Close the gap: an entry behind it moves in unless its own place lies between the gap and where it is. */
    size_t mask = map->size - 1;
    size_t gap = (size_t)(entry - map->entries);
    for (size_t at = (gap + 1) & mask; map->entries[at].key; at = (at + 1) & mask) {
        size_t home = map->entries[at].hash & mask;
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            map->entries[gap] = map->entries[at];
            gap = at;
        }
    }
    map->entries[gap] = (struct entry){0};
    return value;
}

size_t map_count(const struct map *map) {
    return map->count;
}

void *map_next(const struct map *map, size_t *cursor, const char **key) {
    while (*cursor < map->size) {
        const struct entry *entry = &map->entries[(*cursor)++];
        if (entry->key) {
            if (key)
                *key = entry->key;
            return entry->value;
        }
    }
    return NULL;
}
