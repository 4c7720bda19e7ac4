/* A test beside the stand-in for NVIDIA's library: its script, and a start with the stand-in in the way of the real one. */
#ifndef SALLYPORT_TESTS_PROBE_GPU_RIG_H
#define SALLYPORT_TESTS_PROBE_GPU_RIG_H

#include "fixture.h"

#define RIG_SCRIPT "SALLYPORT_NVML_SCRIPT"

/* The loader looks at LD_LIBRARY_PATH once, so the program is started again with it. To be called first of all in main. */
static inline void rig_begin(char **argv, const char *libraries) {
    char path[FIXTURE_PATH];
    if (getenv(RIG_SCRIPT) != NULL)
        return;
    (void)snprintf(path, sizeof path, "/tmp/sallyport-nvml.%d", (int)getpid());
    if (setenv(RIG_SCRIPT, path, 1) == 0 && setenv("LD_LIBRARY_PATH", libraries, 1) == 0)
        (void)execv("/proc/self/exe", argv);
    _exit(99);
}

/* Gone in one step, so that nobody reads half of it. */
static inline void rig_script(const char *text) {
    char path[FIXTURE_PATH];
    (void)snprintf(path, sizeof path, "%s.new", getenv(RIG_SCRIPT));
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(path, getenv(RIG_SCRIPT)), 0);
}

static inline int rig_end(int result) {
    const char *path = getenv(RIG_SCRIPT);
    if (path != NULL)
        (void)unlink(path);
    return result;
}

#endif
