/* Which paths fit a route's pattern, and what the handler gets of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../../src/relay/web_local.h"

struct row {
    const char *pattern, *path;
    bool fits;
    const char *part[WEB_PARTS_MAX];
};

static const struct row rows[] = {
    {"/", "/", true, {"", "", ""}},
    {"/", "/a", false, {NULL}},
    {"/healthz", "/healthz", true, {"", "", ""}},
    {"/healthz", "/healthzz", false, {NULL}},
    {"/healthz", "/health", false, {NULL}},
    {"/healthz", "/healthz/", false, {NULL}},
    {"/login/{code}", "/login/abc", true, {"abc", "", ""}},
    {"/login/{code}", "/login/", true, {"", "", ""}},
    {"/login/{code}", "/login", false, {NULL}},
    {"/login/{code}", "/login/abc/", false, {NULL}},
    {"/login/{code}", "/logim/abc", false, {NULL}},
    {"/open/{machine}/{service}", "/open/box1/ssh", true, {"box1", "ssh", ""}},
    {"/open/{machine}/{service}", "/open/box1", false, {NULL}},
    {"/m/{name}", "/m/box1/history", false, {NULL}},
    {"/m/{name}/history", "/m/box1/history", true, {"box1", "", ""}},
    {"/m/{name}/history", "/m/box1", false, {NULL}},
    {"/m/{name}/history", "/m/box1/", false, {NULL}},
    {"/m/{name}/history", "/m//history", true, {"", "", ""}},
    {"/m/{name}/history", "/m/box1/histories", false, {NULL}},
    {"/m/{name}/history", "/m/box1/history/0", false, {NULL}},
    {"/m/{name}/claims/{gpu}", "/m/box1/claims/0", true, {"box1", "0", ""}},
    {"/m/{name}/claims/{gpu}", "/m/box1/claims/", true, {"box1", "", ""}},
    {"/m/{name}/claims/{gpu}", "/m/box1/claims", false, {NULL}},
    {"/m/{name}/claims/{gpu}", "/m/box1/others/0", false, {NULL}},
    {"/{a}/{b}/{c}", "/x/y%2Fz/w", true, {"x", "y%2Fz", "w"}},
    {"/{a}/{b}/{c}", "///", true, {"", "", ""}},
    {"/{a}/{b}/{c}", "//", false, {NULL}},
};

static void paths_fit_or_not(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct page_request request = {.path = row->path};
        struct web_visit visit = {.request = &request};
        if (web_path_match(&visit, row->pattern) != row->fits)
            fail_msg("%s against %s", row->path, row->pattern);
        for (size_t k = 0; row->fits && k < WEB_PARTS_MAX; k++)
            assert_string_equal(visit.part[k], row->part[k]);
    }
}

/* The longest that the pages let in, and one that is longer than there is room. */
static void long_paths(void **state) {
    static char path[PAGES_PATH_MAX + 64];
    struct page_request request = {.path = path};
    struct web_visit visit = {.request = &request};
    (void)state;
    memset(path, 'a', PAGES_PATH_MAX);
    for (size_t i = 0; i < 7; i++)
        path[i] = "/login/"[i];
    assert_true(web_path_match(&visit, "/login/{code}"));
    assert_int_equal(strlen(visit.part[0]), PAGES_PATH_MAX - 7);
    path[PAGES_PATH_MAX] = 'a';
    assert_false(web_path_match(&visit, "/login/{code}"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(paths_fit_or_not), cmocka_unit_test(long_paths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
