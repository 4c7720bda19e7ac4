/* The history: rows come back, are rolled up and go in their time, and take no more room than was promised. */
#include <sqlite3.h>
#include <sys/stat.h>

#include "history_place.h"

#define ROOM_MAX (30e6)

static void tidy(struct history_place *place, const int64_t *ids, size_t count, int64_t now) {
    bool more = true;
    for (int i = 0; more && i < 10000; i++)
        assert_int_equal(history_tidy(place->history, ids, count, now, &more), 0);
    assert_false(more);
}

static void rows_come_back(void **state) {
    struct history_place *place = *state;
    place_write(place, place_row(1, START + MINUTE, 0.5F, 60));
    place_write(place, place_row(1, START, 0.25F, NAN));
    place_write(place, place_row(2, START, 1, 90));
    place_write(place, place_row(1, START + MINUTE, 0.75F, 61)); /* again: it counts */
    struct place_rows rows = place_read(place, 1, 0);
    assert_int_equal(rows.count, 2);
    assert_true(rows.times[0] == START && rows.times[1] == START + MINUTE);
    assert_true(fabsf(rows.shares[0] - 0.25F) < 1e-4F && fabsf(rows.shares[1] - 0.75F) < 1e-4F);
    assert_true(isnan(rows.celsius[0]));
    memset(&rows, 0, sizeof(rows));
    assert_int_equal(history_read(place->history, 1, 0, START, START + MINUTE, place_take, &rows), 0);
    assert_int_equal(rows.count, 1); /* `to` itself is not within */
    history_close(place->history);
    place_open(place);
    assert_int_equal(place_read(place, 1, 0).count, 2);
}

static void minutes_are_rolled_up(void **state) {
    struct history_place *place = *state;
    const int64_t id = 1;
    for (int i = 0; i < 40; i++) {
        if (i / 15 != 1) /* a quarter of which nothing is known */
            place_write(place,
                        place_row(id, START + i * MINUTE, i < 15 ? 0.1F * (float)(i % 2) : 0.5F, (float)(40 + i)));
    }
    tidy(place, &id, 1, START + QUARTER - 1);
    assert_int_equal(place_read(place, id, 1).count, 0); /* not complete yet */
    tidy(place, &id, 1, START + 41 * MINUTE);
    struct place_rows rows = place_read(place, id, 1);
    assert_int_equal(rows.count, 1);
    assert_true(rows.times[0] == START);
    assert_true(fabsf(rows.shares[0] - 0.1F * 7 / 15) < 1e-3F); /* the mean */
    assert_true(fabsf(rows.celsius[0] - 54) < 0.1F);            /* the highest */
    tidy(place, &id, 1, START + 3 * QUARTER);
    rows = place_read(place, id, 1);
    assert_int_equal(rows.count, 2);
    assert_true(rows.times[1] == START + 2 * QUARTER);
    assert_int_equal(place_read(place, id, 2).count, 0);
    tidy(place, &id, 1, START + DAY / 4);
    rows = place_read(place, id, 2);
    assert_int_equal(rows.count, 1);
    assert_true(fabsf(rows.celsius[0] - 79) < 0.1F);
    assert_int_equal(place_read(place, id, 0).count, 25); /* all are there still */
}

static void what_is_too_old_goes(void **state) {
    struct history_place *place = *state;
    const int64_t id = 1;
    for (int i = 0; i < 60; i++)
        place_write(place, place_row(id, START + i * MINUTE, 0.5F, 50));
    tidy(place, &id, 1, START + DAY);
    for (int i = 0; i < 5; i++)
        tidy(place, &id, 1, START + 14 * DAY + 30 * MINUTE);
    struct place_rows rows = place_read(place, id, 0);
    assert_int_equal(rows.count, 30);
    assert_true(rows.times[0] == START + 30 * MINUTE);
    assert_int_equal(place_read(place, id, 1).count, 4);
    tidy(place, &id, 1, START + 730 * DAY + QUARTER);
    assert_int_equal(place_read(place, id, 0).count, 0);
    assert_int_equal(place_read(place, id, 1).count, 3);
}

/* A machine that is not in the registry any more; the others keep all. */
static void machines_that_are_gone(void **state) {
    struct history_place *place = *state;
    const int64_t ids[] = {1, 3};
    struct history_used used = {2, {.day = 20000, .gpu = "GPU-1", .user = "ann", .busy_s = 1}};
    struct history_batch batch = {.uses = &used, .use_count = 1};
    struct history_subject *subjects;
    struct history_use *uses;
    size_t count;
    static struct history_row rows[1200];
    struct history_batch many = {.rows = rows, .row_count = 1200};
    for (int i = 0; i < 1200; i++)
        rows[i] = place_row(2, START + i * MINUTE, 0.5F, 50);
    assert_int_equal(history_write(place->history, &many), 0);
    place_write(place, place_row(2, START, 0.5F, 50));
    place_write(place, place_row(1, START, 0.5F, 50));
    assert_int_equal(history_write(place->history, &batch), 0);
    tidy(place, ids, 2, START + 2000 * MINUTE);
    assert_int_equal(place_read(place, 2, 0).count, 0);
    assert_int_equal(place_read(place, 1, 0).count, 1);
    assert_int_equal(history_subjects(place->history, 2, &subjects, &count), 0);
    assert_int_equal(count, 0);
    free(subjects);
    assert_int_equal(history_uses(place->history, 2, 0, &uses, &count), 0);
    assert_int_equal(count, 0);
    free(uses);
    tidy(place, NULL, 0, START + 2000 * MINUTE); /* all are gone */
    assert_int_equal(place_read(place, 1, 0).count, 0);
}

static void subjects_come_back(void **state) {
    struct history_place *place = *state;
    struct history_named named[] = {
        {1,
         {.id = SUBJECT_GPU_FIRST,
          .name = "GPU-8a1f",
          .label = "NVIDIA GeForce RTX 4090",
          .gpu = 0,
          .since = 5,
          .seen = 7}},
        {1, {.id = SUBJECT_FILESYSTEM_FIRST, .name = "/data", .gpu = -1, .since = 6, .seen = 7}},
        {1, {.id = SUBJECT_GPU_FIRST, .name = "GPU-other", .gpu = 1, .since = 8, .seen = 9}}, /* has its number now */
    };
    struct history_batch batch = {.subjects = named, .subject_count = 3};
    struct history_subject *subjects;
    size_t count;
    assert_int_equal(history_write(place->history, &batch), 0);
    assert_int_equal(history_subjects(place->history, 1, &subjects, &count), 0);
    assert_int_equal(count, 2);
    assert_string_equal(subjects[0].name, "GPU-other");
    assert_true(subjects[0].since == 8 && subjects[0].seen == 9 && subjects[0].gpu == 1);
    assert_string_equal(subjects[1].name, "/data");
    free(subjects);
}

static void use_adds_up(void **state) {
    struct history_place *place = *state;
    struct history_used used[] = {
        {1, {.day = 20000, .gpu = "GPU-1", .user = "ann", .busy_s = 60, .joules = 100}},
        {1, {.day = 20000, .gpu = "GPU-1", .user = "ann", .busy_s = 30, .joules = 50}},
        {1, {.day = 20000, .gpu = "GPU-1", .user = "", .joules = 5}},
        {1, {.day = 20001, .gpu = "GPU-1", .user = "ann", .busy_s = 1}},
        {2, {.day = 20000, .gpu = "GPU-1", .user = "ann", .busy_s = 9}},
    };
    struct history_batch batch = {.uses = used, .use_count = 5};
    struct history_use *uses;
    size_t count;
    assert_int_equal(history_write(place->history, &batch), 0);
    assert_int_equal(history_uses(place->history, 1, 20000, &uses, &count), 0);
    assert_int_equal(count, 3);
    assert_string_equal(uses[1].user, "ann");
    assert_true(uses[1].busy_s == 90 && uses[1].joules == 150);
    free(uses);
    assert_int_equal(history_uses(place->history, 1, 20001, &uses, &count), 0);
    assert_int_equal(count, 1);
    free(uses);
}

/* Names come from outside: an agent that makes them up does not fill the disk. */
static void made_up_names_are_bounded(void **state) {
    struct history_place *place = *state;
    struct history_use *uses;
    size_t count;
    static struct history_used used[HISTORY_USES_A_DAY + 20];
    struct history_batch many = {.uses = used, .use_count = HISTORY_USES_A_DAY + 20};
    for (size_t i = 0; i < many.use_count; i++) {
        used[i] = (struct history_used){1, {.day = 20000, .gpu = "GPU-1", .busy_s = 1}};
        snprintf(used[i].use.user, sizeof(used[i].use.user), "user%zu", i);
    }
    assert_int_equal(history_write(place->history, &many), 0);
    struct history_used known[] = {{1, {.day = 20000, .gpu = "GPU-1", .user = "user0", .busy_s = 1}},
                                   {1, {.day = 20000, .gpu = "", .joules = 1}}};
    struct history_batch batch = {.uses = known, .use_count = 2};
    assert_int_equal(history_write(place->history, &batch), 0);
    assert_int_equal(history_uses(place->history, 1, 0, &uses, &count), 0);
    assert_int_equal(count, HISTORY_USES_A_DAY + 1); /* and the machine's own */
    for (size_t i = 0; i < count; i++) {
        if (strcmp(uses[i].user, "user0") == 0)
            assert_true(uses[i].busy_s == 2);
    }
    free(uses);
}

/* A machine with 16 GPUs and 8 filesystems, all of which is known: the row that is written each minute. */
static void full_row(struct history_row *row) {
    struct sample sample = {.count = 1 + 16 + 8};
    for (size_t i = 0; i < sample.count; i++) {
        sample.groups[i].subject = (uint8_t)(i <= 16 ? i : SUBJECT_FILESYSTEM_FIRST + i);
        for (size_t k = 0; k < SERIES_PER_SUBJECT_MAX; k++)
            sample.groups[i].values[k] = 0.5F;
    }
    row->len = sample_pack(&sample, row->bytes);
}

/* Everything that is ever kept of one machine, written as it comes: by turns with another machine, whose rows lie beside. */
static void room_for_ever(void **state) {
    struct history_place *place = *state;
    sqlite3 *db;
    sqlite3_stmt *add;
    struct history_row row;
    struct stat about;
    int64_t rows = 0;
    full_row(&row);
    history_close(place->history);
    place->history = NULL;
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN", NULL, NULL, NULL),
                     0);
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO value VALUES (?, ?, ?, ?)", -1, &add, NULL), SQLITE_OK);
    sqlite3_bind_blob(add, 4, row.bytes, (int)row.len, SQLITE_STATIC);
    for (int64_t turn = 0; turn < history_levels[1].keep_s / history_levels[1].period_s; turn++) {
        for (int level = 0; level < HISTORY_LEVELS; level++) {
            const struct history_level *about_level = &history_levels[level];
            if (turn >= about_level->keep_s / about_level->period_s)
                continue;
            for (int machine = 1; machine <= 2; machine++) {
                sqlite3_bind_int(add, 1, machine);
                sqlite3_bind_int(add, 2, level);
                sqlite3_bind_int64(add, 3, START + turn * about_level->period_s);
                rows += sqlite3_step(add) == SQLITE_DONE;
                sqlite3_reset(add);
            }
        }
    }
    sqlite3_finalize(add);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(rows, 2 * (14 * 1440 + 730 * 96 + 730 * 4));
    assert_int_equal(stat(place->path, &about), 0);
    print_message("%.1f MB a machine\n", (double)about.st_size / 2e6);
    assert_true((double)about.st_size / 2 < ROOM_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        history_test(rows_come_back),
        history_test(minutes_are_rolled_up),
        history_test(what_is_too_old_goes),
        history_test(machines_that_are_gone),
        history_test(subjects_come_back),
        history_test(use_adds_up),
        history_test(made_up_names_are_bounded),
        history_test(room_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
