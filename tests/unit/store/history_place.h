/* A fresh history in a folder of its own for each test. */
#ifndef SALLYPORT_TEST_STORE_HISTORY_PLACE_H
#define SALLYPORT_TEST_STORE_HISTORY_PLACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/store/history.h"

#define MINUTE INT64_C(60)
#define QUARTER INT64_C(900)
#define DAY INT64_C(86400)
#define START (INT64_C(20000) * DAY) /* UTC seconds, the beginning of a day */

struct history_place {
    char dir[64], path[96];
    struct history *history;
};

static inline void place_open(struct history_place *place) {
    struct why why = {""};
    if (history_open(place->path, &place->history, &why))
        fail_msg("%s", why.text);
}

static inline int place_set_up(void **state) {
    struct history_place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    snprintf(place->dir, sizeof(place->dir), "/tmp/sallyport-history-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    snprintf(place->path, sizeof(place->path), "%s/history.sqlite", place->dir);
    place_open(place);
    *state = place;
    return 0;
}

static inline int place_tear_down(void **state) {
    struct history_place *place = *state;
    char path[sizeof(place->dir) + 300];
    history_close(place->history);
    DIR *dir = opendir(place->dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        snprintf(path, sizeof(path), "%s/%s", place->dir, entry->d_name);
        unlink(path);
    }
    closedir(dir);
    rmdir(place->dir);
    free(place);
    return 0;
}

#define history_test(test) cmocka_unit_test_setup_teardown(test, place_set_up, place_tear_down)

/* A row of the machine itself: the share of its processors and the temperature. */
static inline struct history_row place_row(int64_t machine_id, int64_t time, float share, float celsius) {
    struct history_row row = {.machine_id = machine_id, .time = time};
    struct sample sample = {.count = 1};
    for (size_t i = 0; i < SERIES_PER_SUBJECT_MAX; i++)
        sample.groups[0].values[i] = NAN;
    sample.groups[0].subject = SUBJECT_MACHINE_ID;
    sample.groups[0].values[0] = share;
    sample.groups[0].values[3] = celsius;
    row.len = sample_pack(&sample, row.bytes);
    return row;
}

static inline void place_write(struct history_place *place, struct history_row row) {
    struct history_named named = {row.machine_id, {.id = SUBJECT_MACHINE_ID, .gpu = -1, .since = 1, .seen = row.time}};
    struct history_batch batch = {.rows = &row, .row_count = 1, .subjects = &named, .subject_count = 1};
    assert_int_equal(history_write(place->history, &batch), 0);
}

/* What was read, in order. */
struct place_rows {
    size_t count;
    int64_t times[64];
    float shares[64], celsius[64];
};

static inline void place_take(void *ctx, int64_t time, const struct sample *sample) {
    struct place_rows *rows = ctx;
    if (rows->count < 64 && sample->count > 0) {
        rows->times[rows->count] = time;
        rows->shares[rows->count] = sample->groups[0].values[0];
        rows->celsius[rows->count] = sample->groups[0].values[3];
    }
    rows->count++;
}

static inline struct place_rows place_read(struct history_place *place, int64_t machine_id, unsigned level) {
    struct place_rows rows = {.count = 0};
    assert_int_equal(history_read(place->history, machine_id, level, 0, INT64_MAX, place_take, &rows), 0);
    return rows;
}

#endif
