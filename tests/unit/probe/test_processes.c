/* Who uses the machine, seen in a made-up /proc. */
#include "fake_server.h"

#include <math.h>
#include <time.h>

#include "sallyport/base/str.h"
#include "sallyport/probe/processes.h"

#define UUID "6f4e2b1a-1c2d-4e3f-8a9b-0c1d2e3f4a5b"
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define MIB 256 /* pages */

struct rig {
    char root[FIXTURE_PATH];
    struct loop *loop;
    struct process_probe *probe;
    struct status status;
    uint64_t now_ms;
};

static bool find_notebook(void *ctx, const char *kernel, char *to, size_t size) {
    (void)ctx;
    return strcmp(kernel, UUID) == 0 && str_copy(to, size, "work/a.ipynb") == 0;
}

static int set_up(void **state) {
    struct rig *rig = calloc(1, sizeof *rig);
    char path[FIXTURE_PATH];
    assert_non_null(rig);
    fixture_new(rig->root);
    fixture_path(rig->root, "/proc/1/x", path);
    assert_int_equal(loop_new(&rig->loop), 0);
    struct process_probe_config config = {.root = rig->root, .notebook = find_notebook};
    assert_int_equal(process_probe_new(rig->loop, &config, &rig->probe), 0);
    status_init(&rig->status);
    *state = rig;
    return 0;
}

static int tear_down(void **state) {
    struct rig *rig = *state;
    process_probe_free(rig->probe);
    status_fini(&rig->status);
    loop_free(rig->loop);
    fixture_remove(rig->root);
    free(rig);
    return 0;
}

static void set_file(const struct rig *rig, int pid, const char *leaf, const char *bytes, size_t len) {
    char path[FIXTURE_PATH], full[FIXTURE_PATH];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", pid, leaf);
    fixture_path(rig->root, path, full);
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

struct made_up {
    int pid, parent;
    const char *comm;
    unsigned long ticks, start, pages;
    unsigned flags;
};

static void set_process(const struct rig *rig, struct made_up one) {
    char text[512];
    int n = snprintf(text, sizeof text, "%d (%s) S %d 1 1 0 -1 %u 0 0 0 0 %lu 0 0 0 20 0 1 0 %lu 0 %lu 0\n", one.pid,
                     one.comm, one.parent, one.flags, one.ticks, one.start, one.pages);
    set_file(rig, one.pid, "stat", text, (size_t)n);
}

#define COMMAND(rig, pid, text) set_file(rig, pid, "cmdline", text, sizeof(text))

static void remove_process(const struct rig *rig, int pid) {
    char path[FIXTURE_PATH], end[32];
    (void)snprintf(end, sizeof end, "/proc/%d", pid);
    fixture_path(rig->root, end, path);
    fixture_remove(path);
}

/* Half a second after the last one, or five; with those processes on GPUs, ended by 0. */
static void sample(struct rig *rig, uint64_t ms, const int *on_gpus) {
    status_fini(&rig->status);
    rig->status.cpu_count = 4;
    for (; on_gpus != NULL && *on_gpus != 0; on_gpus++) {
        struct process *process = status_add(&rig->status, "processes");
        assert_non_null(process);
        process->pid = *on_gpus;
        process->gpus = 1;
        process->gpu_memory_used_bytes = 1000;
    }
    rig->now_ms += ms;
    assert_int_equal(process_probe_sample(rig->probe, rig->now_ms, &rig->status), 0);
}

static const struct process *find(const struct rig *rig, int pid) {
    for (size_t i = 0; i < rig->status.process_count; i++)
        if (rig->status.processes[i].pid == pid)
            return &rig->status.processes[i];
    return NULL;
}

static void those_on_gpus(void **state) {
    struct rig *rig = *state;
    static const int pids[] = {4711, 99, -5, 70, 71, 0};
    long hz = sysconf(_SC_CLK_TCK);
    fixture_write(rig->root, "/etc/passwd", "root:x:0:0::/:\n");
    set_process(rig, (struct made_up){.pid = 4711, .comm = "python", .ticks = 100, .start = 500, .pages = 3 * MIB});
    COMMAND(rig, 4711, "python\0train.py\0--token\0hf_x");
    set_file(rig, 4711, "cgroup", "0::/system.slice/docker-" ID ".scope\n", 90);
    /* a kernel, and what it has started by way of a shell */
    set_process(rig, (struct made_up){.pid = 70, .comm = "python", .start = 600, .pages = 1});
    COMMAND(rig, 70, "python\0-f\0/run/kernel-" UUID ".json");
    set_process(rig, (struct made_up){.pid = 71, .parent = 69, .comm = "x", .start = 600, .pages = 1});
    COMMAND(rig, 71, "./x");
    set_process(rig, (struct made_up){.pid = 69, .parent = 70, .comm = "sh", .start = 600, .pages = 1});
    COMMAND(rig, 69, "sh");
    sample(rig, 1000, pids);
    assert_int_equal(rig->status.process_count, 3); /* 99 is gone already */
    const struct process *one = find(rig, 4711);
    assert_string_equal(one->user, "root");
    assert_string_equal(one->command, "python train.py --token ***");
    assert_string_equal(one->container, "0123456789ab");
    assert_string_equal(one->notebook, "");
    assert_int_equal(one->memory_used_bytes, 3 * MIB * sysconf(_SC_PAGESIZE));
    assert_int_equal(one->gpu_memory_used_bytes, 1000);
    assert_int_equal(one->gpus, 1);
    assert_true(one->started > 0);
    assert_true(isnan(one->cpu_used_share));
    assert_string_equal(find(rig, 70)->notebook, "work/a.ipynb");
    assert_string_equal(find(rig, 71)->notebook, "work/a.ipynb");

    /* two of four processors, in each sample, and also when they are not all gone through */
    set_process(rig, (struct made_up){.pid = 4711, .comm = "python", .ticks = 100 + (unsigned long)hz, .start = 500});
    sample(rig, 500, pids);
    assert_true(fabs(find(rig, 4711)->cpu_used_share - 0.5) < 1e-9);
    /* another process with that number; another program in this one */
    set_process(rig, (struct made_up){.pid = 4711, .comm = "python", .ticks = 9, .start = 900});
    COMMAND(rig, 4711, "python\0other.py");
    set_process(rig, (struct made_up){.pid = 71, .parent = 69, .comm = "y", .start = 600, .pages = 1});
    COMMAND(rig, 71, "./y");
    sample(rig, 500, pids);
    assert_true(isnan(find(rig, 4711)->cpu_used_share));
    assert_string_equal(find(rig, 4711)->command, "python other.py");
    assert_string_equal(find(rig, 71)->command, "./y");
}

static size_t count_ended(const struct rig *rig, int pid) {
    size_t count = 0;
    for (size_t i = 0; i < rig->status.process_count; i++)
        count += rig->status.processes[i].ended && rig->status.processes[i].pid == pid;
    return count;
}

static void what_has_ended_is_told_once(void **state) {
    struct rig *rig = *state;
    static const int both[] = {10, 11, 0}, first[] = {10, 0};
    set_process(rig, (struct made_up){.pid = 10, .comm = "a", .start = 5, .pages = 1});
    set_process(rig, (struct made_up){.pid = 11, .comm = "b", .start = 6, .pages = 1});
    COMMAND(rig, 11, "./b\0--x");
    sample(rig, 1000, both);
    sample(rig, 1000, first); /* 11 has left its GPU, no more */
    assert_int_equal(count_ended(rig, 11), 0);
    assert_int_equal(rig->status.process_count, 1);
    remove_process(rig, 11);
    sample(rig, 1000, first);
    assert_int_equal(count_ended(rig, 11), 1);
    const struct process *ended = find(rig, 11);
    assert_string_equal(ended->command, "./b --x");
    assert_int_equal(ended->gpus, 1);
    assert_int_equal(ended->gpu_memory_used_bytes, STATUS_UNKNOWN);
    assert_true(isnan(ended->cpu_used_share));
    sample(rig, 1000, first);
    assert_int_equal(count_ended(rig, 11), 0);
    /* its number is taken by another at once: also on the GPU; and the driver still names one that is gone */
    set_process(rig, (struct made_up){.pid = 10, .comm = "c", .start = 7, .pages = 1});
    sample(rig, 1000, first);
    assert_int_equal(rig->status.process_count, 2);
    assert_int_equal(count_ended(rig, 10), 1);
    remove_process(rig, 10);
    sample(rig, 1000, first);
    assert_int_equal(rig->status.process_count, 1);
    assert_int_equal(count_ended(rig, 10), 1);
    sample(rig, 1000, first);
    assert_int_equal(rig->status.process_count, 0);
}

static void the_heaviest(void **state) {
    struct rig *rig = *state;
    unsigned long hz = (unsigned long)sysconf(_SC_CLK_TCK);
    static const int on_gpu[] = {120, 0};
    for (int i = 1; i <= 20; i++) {
        set_process(rig,
                    (struct made_up){.pid = 100 + i, .comm = "u", .start = 5, .pages = (unsigned long)i * 20 * MIB});
        set_process(rig, (struct made_up){.pid = 200 + i, .comm = "k", .start = 5, .flags = 0x200000});
    }
    sample(rig, 1000, NULL);
    assert_int_equal(rig->status.process_count, 5);
    assert_int_equal(rig->status.processes[0].pid, 120);
    assert_int_equal(rig->status.processes[4].pid, 116);
    for (int i = 1; i <= 20; i++)
        set_process(
            rig,
            (struct made_up){
                .pid = 200 + i, .comm = "kwork", .ticks = (unsigned long)i * hz / 10, .start = 5, .flags = 0x200000});
    sample(rig, 1000, on_gpu); /* they are not gone through again so soon */
    assert_int_equal(rig->status.process_count, 5);
    sample(rig, 4000, on_gpu);
    assert_int_equal(rig->status.process_count, 1 + 5 + 4);
    assert_int_equal(rig->status.processes[0].pid, 120);
    assert_int_equal(rig->status.processes[1].pid, 220);
    assert_string_equal(rig->status.processes[1].command, "[kwork]");
    assert_true(fabs(rig->status.processes[1].cpu_used_share - 0.1) < 1e-9); /* 2 s of processor in 5 s, of four */
    assert_int_equal(rig->status.processes[6].pid, 119);
    assert_int_equal(rig->status.processes[1].gpus, 0);
    /* little is not worth telling */
    for (int i = 1; i <= 20; i++) {
        remove_process(rig, 200 + i);
        set_process(rig,
                    (struct made_up){.pid = 100 + i, .comm = "u", .start = 5, .ticks = hz / 100, .pages = 10 * MIB});
    }
    sample(rig, 5000, NULL);
    assert_int_equal(rig->status.process_count, 0);
}

static void what_a_process_may_say(void **state) {
    struct rig *rig = *state;
    static const int pids[] = {10, 11, 12, 13, 14, 0};
    size_t len = 2UL << 20;
    char *big = malloc(len);
    assert_non_null(big);
    memset(big, 'a', len);
    memcpy(big, "./x", 4);
    for (int pid = 10; pid <= 13; pid++)
        set_process(rig, (struct made_up){.pid = pid, .comm = "c", .start = 5, .pages = 1});
    set_file(rig, 10, "cmdline", big, len);
    COMMAND(rig, 11, "a\x1b]0;b\x07\xff\n c");
    set_process(rig, (struct made_up){.pid = 12, .comm = "n\x1b(m) S", .start = 5, .pages = 1});
    set_file(rig, 12, "cgroup", big, len);
    set_file(rig, 13, "stat", big, len);
    set_process(rig, (struct made_up){.pid = 14, .comm = "c", .start = 5, .pages = ~0UL >> 2});
    sample(rig, 1000, pids);
    free(big);
    assert_int_equal(rig->status.process_count, 3);
    assert_string_equal(find(rig, 10)->command, "./x");
    assert_string_equal(find(rig, 11)->command, "a?]0;b??  c");
    assert_string_equal(find(rig, 12)->command, "[n?(m) S]");
    assert_string_equal(find(rig, 12)->container, "");
    for (size_t i = 0; i < rig->status.process_count; i++)
        assert_true(rig->status.processes[i].memory_used_bytes >= 0);
}

static void more_on_gpus_than_fit(void **state) {
    struct rig *rig = *state;
    int pids[STATUS_PROCESSES_MAX + 1] = {0}, others[STATUS_PROCESSES_MAX + 1] = {0};
    for (int i = 0; i < STATUS_PROCESSES_MAX; i++) {
        pids[i] = 100 + i;
        others[i] = 300 + i;
        set_process(rig, (struct made_up){.pid = pids[i], .comm = "a", .start = 5, .pages = 100 * MIB});
        set_process(rig, (struct made_up){.pid = others[i], .comm = "b", .start = 5, .pages = 200 * MIB});
    }
    sample(rig, 5000, pids);
    assert_int_equal(rig->status.process_count, STATUS_PROCESSES_MAX);
    for (int i = 0; i < STATUS_PROCESSES_MAX; i++)
        remove_process(rig, pids[i]);
    sample(rig, 5000, others); /* no room to tell those that ended */
    assert_int_equal(rig->status.process_count, STATUS_PROCESSES_MAX);
    sample(rig, 5000, NULL);
    assert_int_equal(rig->status.process_count, 5);
}

static void no_proc(void **state) {
    char root[FIXTURE_PATH];
    struct process_probe *probe;
    struct process_probe_config config = {.root = root};
    (void)state;
    fixture_new(root);
    assert_true(process_probe_new(NULL, &config, &probe) < 0);
    fixture_remove(root);
}

/* This test itself, in the real /proc. */
static void this_process(void **state) {
    struct process_probe *probe;
    struct process_probe_config config = {.root = ""};
    struct status status;
    (void)state;
    assert_int_equal(process_probe_new(NULL, &config, &probe), 0);
    status_init(&status);
    struct process *process = status_add(&status, "processes");
    assert_non_null(process);
    process->pid = getpid();
    assert_int_equal(process_probe_sample(probe, 1000, &status), 0);
    assert_true(status.process_count >= 1);
    assert_non_null(strstr(status.processes[0].command, "unit_probe_processes"));
    assert_true(status.processes[0].memory_used_bytes > 0);
    assert_in_range(status.processes[0].started, time(NULL) - 600, time(NULL) + 2);
    status_fini(&status);
    process_probe_free(probe);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(those_on_gpus, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_has_ended_is_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_heaviest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_process_may_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_on_gpus_than_fit, set_up, tear_down),
        cmocka_unit_test(no_proc),
        cmocka_unit_test(this_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
