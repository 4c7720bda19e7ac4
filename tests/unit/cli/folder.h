/* A state folder of its own for each test. */
#ifndef SALLYPORT_TEST_CLI_FOLDER_H
#define SALLYPORT_TEST_CLI_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/os.h"

static inline int folder_set_up(void **state) {
    char *dir = strdup("/tmp/sallyport-test-cli-XXXXXX");
    assert_non_null(dir);
    assert_non_null(mkdtemp(dir));
    *state = dir;
    return 0;
}

static inline int folder_tear_down(void **state) {
    char path[4096];
    DIR *dir = opendir(*state);
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (entry->d_name[0] == '.')
            continue;
        assert_int_equal(os_path(path, sizeof path, *state, entry->d_name), 0);
        assert_int_equal(unlink(path), 0);
    }
    (void)closedir(dir);
    assert_int_equal(rmdir(*state), 0);
    free(*state);
    return 0;
}

static inline void folder_write(void *const *state, const char *name, const char *text) {
    char path[4096];
    assert_int_equal(os_path(path, sizeof path, *state, name), 0);
    assert_int_equal(os_write_file(path, text, strlen(text), 0600), 0);
}

#endif
