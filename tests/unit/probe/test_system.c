/* The machine's state, read from a made-up /proc. */
#include "fake_server.h"

#include <math.h>
#include <sys/statvfs.h>

#include "sallyport/base/err.h"
#include "sallyport/probe/system.h"

/* The first sample of a probe: without rates. */
static int first_sample(const char *root, struct status *out) {
    struct system_probe *probe;
    assert_int_equal(system_probe_new(NULL, NULL, root, &probe), 0);
    int rc = system_probe_sample(probe, 1000, out);
    system_probe_free(probe);
    return rc;
}

static void everything_unknown(void **state) {
    char root[FIXTURE_PATH], text[256], id[SYSTEM_BOOT_ID_SIZE];
    struct status status;
    (void)state;
    fixture_new(root);
    assert_int_equal(first_sample(root, &status), 0);
    assert_true(status_is_empty(&status));
    status_fini(&status);
    assert_int_equal(system_boot_id(root, id), SP_ESYS);
    assert_int_equal(system_hostname(root, text, sizeof text), SP_ESYS);
    fixture_remove(root);
}

static void figures(void **state) {
    char root[FIXTURE_PATH];
    struct status status;
    (void)state;
    fixture_new(root);
    fixture_write(root, "/proc/uptime", "86400.53 170000.00\n");
    fixture_write(root, "/proc/loadavg", "0.50 12.25 3.00 1/200 4711\n");
    fixture_write(root, "/proc/meminfo",
                  "MemTotal:       16384000 kB\nMemFree:          1000 kB\nMemAvailable:    4096000 kB\n"
                  "SwapCached:            0 kB\nSwapTotal:       2048 kB\nSwapFree:           1024 kB\n");
    fixture_write(root, "/sys/devices/system/cpu/online", "0-15,32-47,50\n");
    assert_int_equal(first_sample(root, &status), 0);
    assert_int_equal(status.uptime_s, 86400);
    assert_true(fabs(status.load_1m - 0.5) < 1e-9);
    assert_true(fabs(status.load_5m - 12.25) < 1e-9);
    assert_true(fabs(status.load_15m - 3.0) < 1e-9);
    assert_int_equal(status.memory_total_bytes, 16384000LL * 1024);
    assert_int_equal(status.memory_used_bytes, (16384000LL - 4096000) * 1024);
    assert_int_equal(status.swap_total_bytes, 2048 * 1024);
    assert_int_equal(status.swap_used_bytes, 1024 * 1024);
    assert_int_equal(status.cpu_count, 33);
    assert_int_equal(status.filesystem_count, 0);
    status_fini(&status);
    fixture_remove(root);
}

static void figures_that_make_no_sense_are_unknown(void **state) {
    char root[FIXTURE_PATH];
    struct status status;
    (void)state;
    fixture_new(root);
    fixture_write(root, "/proc/uptime", "soon\n");
    fixture_write(root, "/proc/loadavg", "0.50 x\n");
    fixture_write(root, "/proc/meminfo", "MemTotal:       1000 kB\nMemAvailable:    2000 kB\nSwapTotal: 5 MB\n");
    fixture_write(root, "/sys/devices/system/cpu/online", "3-1\n");
    assert_int_equal(first_sample(root, &status), 0);
    assert_int_equal(status.uptime_s, STATUS_UNKNOWN);
    assert_true(fabs(status.load_1m - 0.5) < 1e-9);
    assert_true(isnan(status.load_5m));
    assert_int_equal(status.memory_total_bytes, 1000 * 1024);
    assert_int_equal(status.memory_used_bytes, STATUS_UNKNOWN);
    assert_int_equal(status.swap_total_bytes, STATUS_UNKNOWN);
    assert_int_equal(status.cpu_count, STATUS_UNKNOWN);
    status_fini(&status);
    fixture_remove(root);
}

static void expect_filesystem(const struct status *status, const char *mount, const char *type) {
    for (size_t i = 0; i < status->filesystem_count; i++) {
        const struct filesystem *one = &status->filesystems[i];
        if (strcmp(one->mount, mount) != 0)
            continue;
        assert_string_equal(one->type, type);
        assert_true(one->total_bytes > 0);
        assert_true(one->used_bytes >= 0 && one->used_bytes <= one->total_bytes);
        assert_true(one->available_bytes >= 0 && one->available_bytes <= one->total_bytes);
        return;
    }
    fail_msg("%s is not listed", mount);
}

/* The folders exist, so that only the rules keep a filesystem out. */
static void filesystems(void **state) {
    static const char *const folders[] = {"/boot/efi/x", "/data/x",     "/srv/bind/x", "/snap/core/x", "/mnt/nas/x",
                                          "/hidden/x",   "/a folder/x", "/run/x",      "/home/x",      "/remote/x"};
    static const char mountinfo[] = "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
                                    "23 22 0:21 / /proc rw - proc proc rw\n"
                                    "24 22 0:22 / /run rw - tmpfs tmpfs rw\n"
                                    "25 22 254:2 / /boot/efi rw - vfat /dev/vda2 rw\n"
                                    "26 22 254:3 /some/part /srv/bind rw - xfs /dev/vdb rw\n"
                                    "27 22 254:3 / /data rw master:2 shared:9 - xfs /dev/vdb rw\n"
                                    "28 22 254:1 /home /home rw - ext4 /dev/vda1 rw\n"
                                    "29 22 7:0 / /snap/core ro - squashfs /dev/loop0 ro\n"
                                    "30 22 0:50 / /mnt/nas rw - nfs4 nas:/export rw\n"
                                    "31 22 0:51 / /remote rw - fuse.sshfs ann@box: rw\n"
                                    "32 22 254:4 / /hidden rw - ext4 /dev/vdc rw\n"
                                    "33 32 0:52 / /hidden rw - tmpfs tmpfs rw\n"
                                    "34 22 254:5 / /a\\040folder rw - btrfs /dev/vdd rw\n"
                                    "35 22 254:6 / /gone rw - ext4 /dev/vde rw\n"
                                    "36 22 254:7 /hosts /file rw - ext4 /dev/vdf rw\n"
                                    "37 22 254:8\n"
                                    "nonsense\n";
    char root[FIXTURE_PATH], path[FIXTURE_PATH];
    struct status status;
    (void)state;
    fixture_new(root);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        fixture_path(root, folders[i], path);
    fixture_write(root, "/file", "127.0.0.1 localhost\n");
    fixture_write(root, "/proc/self/mountinfo", mountinfo);
    assert_int_equal(first_sample(root, &status), 0);
    expect_filesystem(&status, "/", "ext4");
    expect_filesystem(&status, "/boot/efi", "vfat");
    expect_filesystem(&status, "/data", "xfs");
    expect_filesystem(&status, "/a folder", "btrfs");
    assert_int_equal(status.filesystem_count, 4);
    status_fini(&status);
    fixture_remove(root);
}

static void a_container_shows_its_root(void **state) {
    char root[FIXTURE_PATH];
    struct status status;
    (void)state;
    fixture_new(root);
    fixture_write(root, "/proc/self/mountinfo",
                  "22 1 0:40 / / rw - overlay overlay rw\n"
                  "23 1 0:41 / /x rw - overlay overlay rw\n");
    assert_int_equal(first_sample(root, &status), 0);
    assert_int_equal(status.filesystem_count, 1);
    expect_filesystem(&status, "/", "overlay");
    status_fini(&status);

    fixture_write(root, "/proc/self/mountinfo", "22 1 0:40 / / rw - nfs4 server:/root rw\n");
    assert_int_equal(first_sample(root, &status), 0);
    assert_int_equal(status.filesystem_count, 0);
    status_fini(&status);
    fixture_remove(root);
}

/* Its inodes are this machine's own; what fills up is in test_filling.c. */
static void inodes(void **state) {
    char root[FIXTURE_PATH];
    struct status status;
    struct statvfs space;
    (void)state;
    fixture_new(root);
    fixture_write(root, "/proc/self/mountinfo", "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n");
    assert_int_equal(first_sample(root, &status), 0);
    assert_int_equal(statvfs(root, &space), 0);
    assert_int_equal(status.filesystem_count, 1);
    if (space.f_files > 0) {
        assert_int_equal(status.filesystems[0].inodes_total, (int64_t)space.f_files);
        assert_in_range(status.filesystems[0].inodes_used, 0, (int64_t)space.f_files);
    } else {
        assert_int_equal(status.filesystems[0].inodes_total, STATUS_UNKNOWN);
        assert_int_equal(status.filesystems[0].inodes_used, STATUS_UNKNOWN);
    }
    assert_int_equal(status.filesystems[0].full_in_s, STATUS_UNKNOWN);
    status_fini(&status);
    fixture_remove(root);
}

static struct system_probe *probe_new(const char *root) {
    struct system_probe *probe;
    assert_int_equal(system_probe_new(NULL, NULL, root, &probe), 0);
    return probe;
}

static void sample(struct system_probe *probe, uint64_t now_ms, struct status *status) {
    assert_int_equal(system_probe_sample(probe, now_ms, status), 0);
}

static void processors_in_use(void **state) {
    char root[FIXTURE_PATH];
    struct status status;
    (void)state;
    fixture_new(root);
    struct system_probe *probe = probe_new(root);
    fixture_write(root, "/proc/stat", "cpu  100 0 100 1000 50 0 0 10 5 0\ncpu0 1 2 3 4 5 6 7 8\nintr 4711\n");
    sample(probe, 1000, &status);
    assert_true(isnan(status.cpu_used_share));
    status_fini(&status);
    /* 30 + 10 of 100; 50 idle, 5 waiting for a disk, 5 taken by the host */
    fixture_write(root, "/proc/stat", "cpu  120 5 110 1050 55 3 2 15 9 0\n");
    sample(probe, 2000, &status);
    assert_true(fabs(status.cpu_used_share - 0.4) < 1e-9);
    status_fini(&status);
    /* back, as after the machine was suspended: nothing this time, and then anew */
    fixture_write(root, "/proc/stat", "cpu  0 0 0 100 0 0 0 0 0 0\n");
    sample(probe, 3000, &status);
    assert_true(isnan(status.cpu_used_share));
    status_fini(&status);
    fixture_write(root, "/proc/stat", "cpu  50 0 0 150 0 0 0 0 0 0\n");
    sample(probe, 4000, &status);
    assert_true(fabs(status.cpu_used_share - 0.5) < 1e-9);
    status_fini(&status);
    fixture_write(root, "/proc/stat", "cpu  40 0 0 250 0 0 0 0 0 0\n"); /* less work, more time */
    sample(probe, 4500, &status);
    assert_true(isnan(status.cpu_used_share));
    status_fini(&status);
    fixture_write(root, "/proc/stat", "cpu  50 x\n");
    sample(probe, 5000, &status);
    assert_true(isnan(status.cpu_used_share));
    status_fini(&status);
    system_probe_free(probe);
    fixture_remove(root);
}

static void pressure(void **state) {
    char root[FIXTURE_PATH];
    struct status status;
    (void)state;
    fixture_new(root);
    fixture_write(root, "/proc/pressure/cpu", "some avg10=9.00 avg60=12.50 avg300=8.00 total=1\n");
    fixture_write(root, "/proc/pressure/memory",
                  "some avg10=0.00 avg60=1.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.25 avg300=0.00 total=1\n");
    fixture_write(root, "/proc/pressure/io", "some avg10=0.00 total=1\nfull avg10=0.00 avg60=50.00 total=1\n");
    assert_int_equal(first_sample(root, &status), 0);
    assert_true(fabs(status.cpu_pressure_share - 0.125) < 1e-9);
    assert_true(fabs(status.memory_pressure_share - 0.01) < 1e-9);
    assert_true(fabs(status.memory_pressure_full_share - 0.0025) < 1e-9);
    assert_true(isnan(status.io_pressure_share)); /* the one behind it is not its own */
    assert_true(fabs(status.io_pressure_full_share - 0.5) < 1e-9);
    status_fini(&status);
    fixture_write(root, "/proc/pressure/io", "some avg10=0.00 avg60=500.00 total=1\nhalf\n");
    assert_int_equal(first_sample(root, &status), 0);
    assert_true(isnan(status.io_pressure_share));
    assert_true(isnan(status.io_pressure_full_share));
    status_fini(&status);
    fixture_remove(root);
}

static void add_network(const char *root, const char *name, const char *what) {
    char path[FIXTURE_PATH], full[FIXTURE_PATH];
    (void)snprintf(path, sizeof path, "/sys/class/net/%s/%s/x", name, what);
    fixture_path(root, path, full);
}

static const struct network *find_network(const struct status *status, const char *name) {
    for (size_t i = 0; i < status->network_count; i++)
        if (strcmp(status->networks[i].name, name) == 0)
            return &status->networks[i];
    return NULL;
}

#define DEV_HEAD "Inter-|   Receive\n face |bytes packets\n"
#define DEV_ROW(name, in, out) name ": " in " 7 0 0 0 0 0 0 " out " 9 0 0 0 0 0 0\n"

static void networks(void **state) {
    char root[FIXTURE_PATH];
    struct status status;
    (void)state;
    fixture_new(root);
    add_network(root, "enp5s0", "device");
    add_network(root, "enp6s0", "device");
    add_network(root, "enp6s0", "bonding_slave");
    add_network(root, "bond0", "bonding");
    add_network(root, "veth12", "brport");
    struct system_probe *probe = probe_new(root);
    fixture_write(root, "/proc/net/dev",
                  DEV_HEAD DEV_ROW("    lo", "5", "5") DEV_ROW("enp5s0", "1000", "2000") DEV_ROW("enp6s0", "10", "10")
                      DEV_ROW(" bond0", "500", "500") DEV_ROW("veth12", "9", "9") DEV_ROW("../..", "9", "9"));
    sample(probe, 1000, &status);
    assert_int_equal(status.network_count, 2);
    assert_true(isnan(find_network(&status, "enp5s0")->received_bytes_per_second));
    assert_true(isnan(status.received_bytes_per_second));
    status_fini(&status);
    /* one that was not there before, and one that was started anew */
    add_network(root, "wlp3s0", "device");
    fixture_write(root, "/proc/net/dev",
                  DEV_HEAD DEV_ROW("enp5s0", "3000", "2500") DEV_ROW(" bond0", "100", "900")
                      DEV_ROW("wlp3s0", "7", "7"));
    sample(probe, 3000, &status);
    assert_int_equal(status.network_count, 3);
    assert_true(fabs(find_network(&status, "enp5s0")->received_bytes_per_second - 1000) < 1e-9);
    assert_true(fabs(find_network(&status, "enp5s0")->sent_bytes_per_second - 250) < 1e-9);
    assert_true(isnan(find_network(&status, "bond0")->received_bytes_per_second));
    assert_true(isnan(find_network(&status, "wlp3s0")->sent_bytes_per_second));
    assert_true(fabs(status.received_bytes_per_second - 1000) < 1e-9);
    assert_true(fabs(status.sent_bytes_per_second - 250) < 1e-9);
    status_fini(&status);
    system_probe_free(probe);
    fixture_remove(root);
}

/* What is read on a thread is there after a while, and the end may come at any moment. */
static void a_thread_reads_what_may_be_slow(void **state) {
    char root[FIXTURE_PATH];
    struct status status;
    struct loop *loop;
    struct work *work;
    struct system_probe *probe;
    (void)state;
    fixture_new(root);
    fixture_write(root, "/proc/self/mountinfo", "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n");
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(work_new(loop, 1, &work), 0);
    assert_int_equal(system_probe_new(loop, work, root, &probe), 0);
    status_init(&status);
    for (int tries = 0; status.filesystem_count == 0 && tries < 3000; tries++) {
        status_fini(&status);
        run_for(loop, 10);
        sample(probe, loop_now(loop), &status);
    }
    assert_int_equal(status.filesystem_count, 1);
    status_fini(&status);
    system_probe_free(probe);
    assert_int_equal(system_probe_new(loop, work, root, &probe), 0);
    system_probe_free(probe); /* while it is read */
    work_free(work);
    loop_free(loop);
    fixture_remove(root);
}

static void names(void **state) {
    char root[FIXTURE_PATH], host[64], id[SYSTEM_BOOT_ID_SIZE];
    (void)state;
    fixture_new(root);
    fixture_write(root, "/proc/sys/kernel/random/boot_id", "411d82c8-59e2-465a-908e-cc77822e5d6e\n");
    fixture_write(root, "/proc/sys/kernel/hostname", "workstation\n");
    assert_int_equal(system_boot_id(root, id), 0);
    assert_string_equal(id, "411d82c8-59e2-465a-908e-cc77822e5d6e");
    assert_int_equal(system_hostname(root, host, sizeof host), 0);
    assert_string_equal(host, "workstation");
    assert_int_equal(system_hostname(root, host, 4), SP_ETOOBIG);
    fixture_write(root, "/proc/sys/kernel/random/boot_id", "411d82c8\n");
    fixture_write(root, "/proc/sys/kernel/hostname", "work\x1bstation\n");
    assert_int_equal(system_boot_id(root, id), SP_EFORMAT);
    assert_int_equal(system_hostname(root, host, sizeof host), SP_EFORMAT);
    fixture_remove(root);
}

static void this_machine(void **state) {
    struct status status;
    (void)state;
    assert_int_equal(first_sample("", &status), 0);
    assert_true(status.uptime_s > 0);
    assert_true(status.load_1m >= 0);
    assert_true(status.cpu_count >= 1);
    assert_true(status.memory_total_bytes > status.memory_used_bytes);
    assert_true(status.memory_used_bytes > 0);
    status_fini(&status);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_unknown),
        cmocka_unit_test(figures),
        cmocka_unit_test(figures_that_make_no_sense_are_unknown),
        cmocka_unit_test(filesystems),
        cmocka_unit_test(a_container_shows_its_root),
        cmocka_unit_test(inodes),
        cmocka_unit_test(processors_in_use),
        cmocka_unit_test(pressure),
        cmocka_unit_test(networks),
        cmocka_unit_test(a_thread_reads_what_may_be_slow),
        cmocka_unit_test(names),
        cmocka_unit_test(this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
