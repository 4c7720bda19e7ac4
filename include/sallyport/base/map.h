/* A hash table from strings to pointers, safe against keys chosen to collide (SipHash with a random seed). */
#ifndef SALLYPORT_BASE_MAP_H
#define SALLYPORT_BASE_MAP_H

#include <stddef.h>

struct map;

/* 0 or SP_ENOMEM. map_free does not touch the values; NULL is allowed. */
int map_new(struct map **out);
void map_free(struct map *map);

/* The value, or NULL. */
void *map_get(const struct map *map, const char *key);
/* Stores a copy of the key; replaces an earlier value. `value` is not NULL. 0 or SP_ENOMEM. */
int map_put(struct map *map, const char *key, void *value);
/* Takes it out and returns what was there, or NULL. */
void *map_remove(struct map *map, const char *key);
size_t map_count(const struct map *map);

/* Walks all entries in no order: start with *cursor = 0; returns the value and, if key is not NULL, its key; NULL at
 * the end. The map must not change during the walk. */
void *map_next(const struct map *map, size_t *cursor, const char **key);

#endif
