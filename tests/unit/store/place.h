/* A fresh registry in a folder of its own for each test. */
#ifndef SALLYPORT_TEST_STORE_PLACE_H
#define SALLYPORT_TEST_STORE_PLACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/store/keys.h"
#include "sallyport/store/store.h"

struct place {
    char dir[64], path[96];
    struct store *store;
};

static inline void place_open(struct place *place) {
    struct why why = {""};
    if (store_open(place->path, &place->store, &why))
        fail_msg("%s", why.text);
}

static inline void place_close(struct place *place) {
    store_close(place->store);
    place->store = NULL;
}

static inline int place_set_up(void **state) {
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    snprintf(place->dir, sizeof(place->dir), "/tmp/sallyport-store-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    snprintf(place->path, sizeof(place->path), "%s/relay.db", place->dir);
    place_open(place);
    *state = place;
    return 0;
}

static inline int place_tear_down(void **state) {
    static const char *const endings[] = {"", "-wal", "-shm"};
    struct place *place = *state;
    place_close(place);
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s%s", place->path, endings[i]);
        unlink(path);
    }
    rmdir(place->dir);
    free(place);
    return 0;
}

#define place_test(test) cmocka_unit_test_setup_teardown(test, place_set_up, place_tear_down)

/* A key whose fingerprint ends in that letter. */
static inline struct key_text place_key(char letter) {
    static char prints[128][16];
    snprintf(prints[(unsigned char)letter & 127], sizeof(prints[0]), "SHA256:%c", letter);
    return (struct key_text){"ssh-ed25519", "AAAA", prints[(unsigned char)letter & 127], "a label"};
}

static inline void place_hash(uint8_t hash[static STORE_HASH_SIZE], uint8_t fill) {
    memset(hash, fill, STORE_HASH_SIZE);
}

#endif
