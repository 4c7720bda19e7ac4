/* A history that was cut off, spoilt or is something else: it is put aside, and what can be read of it is not lost. */
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "history_place.h"

static int open_again(struct history_place *place, struct why *why) {
    history_close(place->history);
    place->history = NULL;
    return history_open(place->path, &place->history, why);
}

/* So much that it has many pages, and all of it in the file itself. */
static void fill(struct history_place *place) {
    static struct history_row rows[4000];
    struct history_named named = {1, {.id = SUBJECT_MACHINE_ID, .gpu = -1, .since = 1, .seen = START}};
    struct history_used used[300];
    for (size_t i = 0; i < 4000; i++)
        rows[i] = place_row(1, START + (int64_t)i * MINUTE, 0.5F, 50);
    for (int i = 0; i < 300; i++)
        used[i] = (struct history_used){1, {.day = 20000 + i, .gpu = "GPU-1", .user = "ann", .busy_s = 1}};
    struct history_batch uses = {.uses = used, .use_count = 300};
    struct history_batch batch = {.rows = rows, .row_count = 4000, .subjects = &named, .subject_count = 1};
    assert_int_equal(history_write(place->history, &uses), 0); /* older, and so in the front of the file */
    assert_int_equal(history_write(place->history, &batch), 0);
    history_close(place->history); /* the last one out writes the log back */
    place->history = NULL;
}

static off_t size_of(const char *path) {
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    return about.st_size;
}

/* It is not opened; aside with it, a new one, and what is left of the old comes into that. */
static size_t begin_anew(struct history_place *place, int64_t now) {
    struct why why = {""};
    char aside[128];
    assert_int_equal(open_again(place, &why), SP_EFORMAT);
    assert_non_null(strstr(why.text, place->path));
    assert_int_equal(history_set_aside(place->path, now, aside, sizeof(aside), &why), 0);
    assert_int_equal(access(aside, F_OK), 0);
    place_open(place);
    return history_salvage(place->history, aside, 10000);
}

/* SQLite does not look into texts. */
static void a_spoilt_text(void **state) {
    struct history_place *place = *state;
    struct history_used used = {1, {.day = 20000, .gpu = "GPU-1", .user = "\xff\x1b", .busy_s = 1}};
    struct history_named named = {1, {.id = SUBJECT_GPU_FIRST, .name = "G\x80", .label = "a\nb", .seen = START}};
    struct history_batch batch = {.uses = &used, .use_count = 1, .subjects = &named, .subject_count = 1};
    struct history_use *uses;
    struct history_subject *subjects;
    size_t count;
    assert_int_equal(history_write(place->history, &batch), 0);
    assert_int_equal(history_uses(place->history, 1, 0, &uses, &count), 0);
    assert_int_equal(count, 1);
    assert_string_equal(uses[0].user, "?");
    assert_string_equal(uses[0].gpu, "GPU-1");
    free(uses);
    assert_int_equal(history_subjects(place->history, 1, &subjects, &count), 0);
    assert_int_equal(count, 1);
    assert_string_equal(subjects[0].name, "?");
    assert_string_equal(subjects[0].label, "?");
    free(subjects);
}

static void cut_off_in_the_middle(void **state) {
    struct history_place *place = *state;
    fill(place);
    off_t size = size_of(place->path);
    assert_true(size > 20 * 4096);
    assert_int_equal(truncate(place->path, size / 2), 0);
    size_t rows = begin_anew(place, START);
    struct history_use *uses;
    size_t count;
    assert_true(rows > 500); /* not all of it is lost */
    assert_int_equal(history_uses(place->history, 1, 0, &uses, &count), 0);
    assert_true(count > 0);
    free(uses);
    place_write(place, place_row(1, START - MINUTE, 0.5F, 50)); /* and it can be used */
}

static void cut_off_within_a_page(void **state) {
    struct history_place *place = *state;
    fill(place);
    assert_int_equal(truncate(place->path, size_of(place->path) - 1000), 0);
    assert_true(begin_anew(place, START) > 3000);
}

/* To nothing but its first bytes, or none: then it is a new one. */
static void cut_off_at_its_beginning(void **state) {
    struct history_place *place = *state;
    struct why why = {""};
    fill(place);
    assert_int_equal(truncate(place->path, 50), 0);
    assert_int_equal(begin_anew(place, START), 0);
    assert_int_equal(truncate(place->path, 0), 0);
    assert_int_equal(open_again(place, &why), 0);
}

static void spoilt_in_the_middle(void **state) {
    struct history_place *place = *state;
    char noise[8192];
    fill(place);
    memset(noise, 0xa5, sizeof(noise));
    int fd = open(place->path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, noise, sizeof(noise), size_of(place->path) / 8192 * 4096), sizeof(noise));
    close(fd);
    assert_true(begin_anew(place, START) > 500);
}

/* The log beside it: what of it is not whole does not count, and that is no damage. */
static void the_log_is_cut_off(void **state) {
    struct history_place *place = *state;
    char log[128], copy[128];
    struct why why = {""};
    sqlite3 *db;
    for (int i = 0; i < 20; i++)
        place_write(place, place_row(1, START + i * MINUTE, 0.5F, 50));
    snprintf(log, sizeof(log), "%s-wal", place->path);
    snprintf(copy, sizeof(copy), "%s/kept", place->dir);
    off_t size = size_of(log);
    assert_int_equal(link(log, copy), 0); /* SQLite takes its own away when it is closed */
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "SELECT count(*) FROM value", NULL, NULL, NULL), SQLITE_OK);
    history_close(place->history);
    place->history = NULL;
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(size_of(log), size);
    assert_int_equal(truncate(log, size - 2000), 0);
    assert_int_equal(history_open(place->path, &place->history, &why), 0);
    struct place_rows rows = place_read(place, 1, 0);
    assert_int_equal(rows.count, 19);
}

static void what_is_no_history(void **state) {
    struct history_place *place = *state;
    struct why why = {""};
    sqlite3 *db;
    history_close(place->history);
    place->history = NULL;
    unlink(place->path);
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE other (a)", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(history_open(place->path, &place->history, &why), SP_EFORMAT);
    assert_non_null(strstr(why.text, "no history"));
    assert_int_equal(begin_anew(place, START), 0);
    history_close(place->history);
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    place->history = NULL;
    assert_int_equal(history_open(place->path, &place->history, &why), SP_EVERSION);
}

static void two_are_kept(void **state) {
    struct history_place *place = *state;
    char aside[128];
    struct why why = {""};
    int found = 0;
    for (int i = 0; i < 4; i++) {
        history_close(place->history);
        place->history = NULL;
        assert_int_equal(history_set_aside(place->path, START + i, aside, sizeof(aside), &why), 0);
        place_open(place);
    }
    DIR *dir = opendir(place->dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        found += strncmp(entry->d_name, "history.damaged-", 16) == 0;
        if (strncmp(entry->d_name, "history.damaged-", 16) == 0)
            assert_true(strtoll(entry->d_name + 16, NULL, 10) >= START + 2); /* the latest ones */
    }
    closedir(dir);
    assert_int_equal(found, 2);
}

static void it_cannot_be_opened(void **state) {
    struct history_place *place = *state;
    struct why why = {""};
    struct history *history = NULL;
    char path[200];
    snprintf(path, sizeof(path), "%s/none/history.sqlite", place->dir);
    assert_int_equal(history_open(path, &history, &why), SP_ESYS);
    assert_null(history);
    assert_non_null(strstr(why.text, path));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        history_test(cut_off_in_the_middle),    history_test(a_spoilt_text),        history_test(cut_off_within_a_page),
        history_test(cut_off_at_its_beginning), history_test(spoilt_in_the_middle), history_test(the_log_is_cut_off),
        history_test(what_is_no_history),       history_test(two_are_kept),         history_test(it_cannot_be_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
