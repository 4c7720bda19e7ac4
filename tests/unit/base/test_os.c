#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sallyport/base/os.h"

#define NOBODY 65534

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int folder_setup(void **state) {
    char *folder = strdup("/tmp/sallyport-test-os-XXXXXX");
    *state = folder;
    return folder && mkdtemp(folder) ? 0 : -1;
}

static int folder_teardown(void **state) {
    int rc = nftw(*state, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return rc;
}

/* Names below the folder of the test, in one of a few turning buffers. */
struct names {
    const char *folder;
    char text[4][PATH_MAX];
    size_t next;
};

static const char *name_of(struct names *names, const char *name) {
    char *text = names->text[names->next++ % 4];
    assert_int_equal(os_path(text, PATH_MAX, names->folder, name), 0);
    return text;
}

static void assert_says(const struct why *why, const char *part) {
    if (!strstr(why->text, part))
        fail_msg("'%s' does not say '%s'", why->text, part);
}

static void test_state_dir_is_made(void **state) {
    struct names names = {.folder = *state};
    struct stat st;
    struct why why;
    const char *deep = name_of(&names, "a//b/c");
    umask(0);
    assert_int_equal(os_state_dir(deep, &why), 0);
    assert_int_equal(os_state_dir(deep, &why), 0);
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(name_of(&names, "a"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(os_state_dir(name_of(&names, "slash/"), &why), 0);
    /* A link to a good folder is as good: systemd makes such ones. */
    assert_int_equal(symlink(deep, name_of(&names, "link")), 0);
    assert_int_equal(os_state_dir(name_of(&names, "link"), &why), 0);
}

static void test_state_dir_is_refused(void **state) {
    struct names names = {.folder = *state};
    struct why why;
    assert_int_equal(os_state_dir("", &why), SP_EINVAL);
    assert_int_equal(os_write_file(name_of(&names, "file"), "x", 1, 0600), 0);
    assert_int_equal(os_state_dir(name_of(&names, "file"), &why), SP_EINVAL);
    assert_says(&why, "is not a folder");
    assert_int_equal(os_state_dir(name_of(&names, "file/sub"), &why), SP_EINVAL);
    assert_says(&why, "Not a directory");

    const char *open_one = name_of(&names, "open");
    assert_int_equal(mkdir(open_one, 0700), 0);
    static const mode_t modes[] = {0770, 0750, 0701, 0704, 02720};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(open_one, modes[i]), 0);
        assert_int_equal(os_state_dir(open_one, &why), SP_EDENIED);
        assert_says(&why, "chmod 700");
    }
    assert_int_equal(os_state_dir(name_of(&names, "open/sub"), NULL), 0);
    assert_int_equal(os_state_dir("/proc/sallyport", &why), SP_ESYS);
    assert_says(&why, "/proc/sallyport");

    char *path = calloc(1, 2 * PATH_MAX);
    assert_non_null(path);
    memset(path, 'a', 2 * PATH_MAX - 1);
    assert_int_equal(os_state_dir(path, &why), SP_EINVAL);
    free(path);
}

static void test_state_dir_of_another(void **state) {
    struct names names = {.folder = *state};
    struct why why;
    const char *other = "/usr";
    if (geteuid() == 0) {
        other = name_of(&names, "other");
        assert_int_equal(mkdir(other, 0700), 0);
        assert_int_equal(chown(other, NOBODY, NOBODY), 0);
    }
    assert_int_equal(os_state_dir(other, &why), SP_EDENIED);
    assert_says(&why, "belongs to");
    assert_says(&why, other);
}

/* Runs in a child, as nobody when this is root (whom no mode keeps out). Exits with the number of the failed check. */
static int child_unwritable(const char *folder) {
    struct names names = {.folder = folder};
    struct why why;
    const char *locked = name_of(&names, "locked");
    if (geteuid() == 0 && (chmod(folder, 0777) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        return 1;
    if (mkdir(locked, 0700) != 0 || chmod(locked, 0500) != 0)
        return 2;
    if (os_state_dir(locked, &why) != SP_EDENIED || !strstr(why.text, "cannot write into"))
        return 3;
    if (os_state_dir(name_of(&names, "locked/sub"), &why) != SP_ESYS || !strstr(why.text, "Permission denied"))
        return 4;
    errno = 0;
    if (os_write_file(name_of(&names, "locked/file"), "x", 1, 0600) != SP_ESYS || errno != EACCES)
        return 5;
    return 0;
}

static int child_paths(void) {
    char path[PATH_MAX];
    if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        return 1;
    unsetenv("STATE_DIRECTORY");
    setenv("HOME", "/home/ann", 1);
    setenv("XDG_STATE_HOME", "relative/is/ignored", 1);
    unsetenv("XDG_CONFIG_HOME");
    if (os_default_state(path, sizeof(path), "relay") || strcmp(path, "/home/ann/.local/state/sallyport-relay") != 0)
        return 2;
    if (os_default_config(path, sizeof(path), "relay") || strcmp(path, "/home/ann/.config/sallyport/relay.ini") != 0)
        return 3;
    setenv("XDG_STATE_HOME", "/s", 1);
    setenv("XDG_CONFIG_HOME", "/c", 1);
    if (os_default_state(path, sizeof(path), "agent") || strcmp(path, "/s/sallyport-agent") != 0)
        return 4;
    if (os_default_config(path, sizeof(path), "agent") || strcmp(path, "/c/sallyport/agent.ini") != 0)
        return 5;
    if (os_default_state(path, 5, "agent") != SP_ETOOBIG)
        return 6;
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    return os_default_state(path, sizeof(path), "agent") == SP_ENOENT ? 0 : 7;
}

static int child_root_paths(void) {
    char path[PATH_MAX];
    unsetenv("STATE_DIRECTORY");
    if (geteuid() != 0)
        return 0;
    if (os_default_state(path, sizeof(path), "relay") || strcmp(path, "/var/lib/sallyport-relay") != 0)
        return 1;
    if (os_default_config(path, sizeof(path), "relay") || strcmp(path, "/etc/sallyport/relay.ini") != 0)
        return 2;
    setenv("STATE_DIRECTORY", "/one:/two", 1);
    return os_default_state(path, sizeof(path), "relay") == 0 && strcmp(path, "/one") == 0 ? 0 : 3;
}

static void assert_child_is_well(pid_t pid) {
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_as_somebody_else(void **state) {
    pid_t pid = fork();
    if (pid == 0)
        _exit(child_unwritable(*state));
    assert_child_is_well(pid);
}

static void test_default_paths(void **state) {
    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        _exit(child_paths());
    assert_child_is_well(pid);
    pid = fork();
    if (pid == 0)
        _exit(child_root_paths());
    assert_child_is_well(pid);
}

static void test_lock(void **state) {
    struct why why;
    char pid[32];
    int fd = -1, second = -1;
    assert_int_equal(os_lock_dir(*state, &fd, &why), 0);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(os_lock_dir(*state, &second, &why), SP_EBUSY);
    assert_int_equal(second, -1);
    snprintf(pid, sizeof(pid), "process %ld:", (long)getpid());
    assert_says(&why, pid);
    close(fd);
    assert_int_equal(os_lock_dir(*state, &fd, &why), 0);
    close(fd);
    struct names names = {.folder = *state};
    assert_int_equal(os_lock_dir(name_of(&names, "missing"), &fd, &why), SP_ESYS);
    assert_says(&why, "No such file");
}

static void test_files(void **state) {
    struct names names = {.folder = *state};
    const char *path = name_of(&names, "file");
    struct stat st;
    struct buf buf;
    buf_init(&buf);
    assert_int_equal(os_write_file(path, "hello", 5, 0640), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(os_read_file(path, 5, &buf), 0);
    assert_int_equal(os_read_file(path, 100, &buf), 0);
    assert_string_equal(buf_string(&buf), "hellohello");
    assert_int_equal(os_read_file(path, 4, &buf), SP_ETOOBIG);
    assert_int_equal(os_read_file(path, 0, &buf), SP_ETOOBIG);
    assert_string_equal(buf_string(&buf), "hellohello");
    assert_int_equal(os_write_file(path, NULL, 0, 0600), 0);
    buf_fini(&buf);
    assert_int_equal(os_read_file(path, 0, &buf), 0);
    assert_int_equal(buf_len(&buf), 0);
    assert_int_equal(os_read_file(name_of(&names, "missing"), 9, &buf), SP_ESYS);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(os_read_file(*state, 9, &buf), SP_ESYS);
    assert_int_equal(errno, EISDIR);
    /* A file without a size, and longer than one read. */
    assert_int_equal(os_read_file("/proc/self/smaps", 1 << 20, &buf), 0);
    assert_true(buf_len(&buf) > 5000);
    size_t before = buf_len(&buf);
    assert_int_equal(os_read_file("/proc/self/smaps", 5000, &buf), SP_ETOOBIG);
    assert_int_equal(buf_len(&buf), before);
    buf_wipe(&buf);
    static uint8_t large[300000];
    memset(large, 'z', sizeof(large));
    assert_int_equal(os_write_file(path, large, sizeof(large), 0600), 0);
    assert_int_equal(os_read_file(path, sizeof(large) - 1, &buf), SP_ETOOBIG);
    assert_int_equal(os_read_file(path, sizeof(large), &buf), 0);
    assert_int_equal(buf_len(&buf), sizeof(large));
    assert_memory_equal(buf_head(&buf), large, sizeof(large));
    buf_fini(&buf);
}

static void test_write_leaves_nothing_behind(void **state) {
    struct names names = {.folder = *state};
    const char *taken = name_of(&names, "taken");
    assert_int_equal(mkdir(taken, 0700), 0);
    assert_int_equal(os_write_file(taken, "x", 1, 0600), SP_ESYS);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(os_write_file(name_of(&names, "missing/file"), "x", 1, 0600), SP_ESYS);
    assert_int_equal(errno, ENOENT);
    /* Only a folder that is empty can be removed. */
    assert_int_equal(rmdir(taken), 0);
    assert_int_equal(rmdir(*state), 0);
    assert_int_equal(mkdir(*state, 0700), 0);
}

static void test_path(void **state) {
    (void)state;
    char path[8] = "keep";
    assert_int_equal(os_path(path, sizeof(path), "/ab", "cdef"), SP_ETOOBIG);
    assert_string_equal(path, "keep");
    assert_int_equal(os_path(path, sizeof(path), "/ab", "cde"), 0);
    assert_string_equal(path, "/ab/cde");
}

static void test_sockets_and_limits(void **state) {
    (void)state;
    int fds[2];
    char byte;
    struct rlimit limit;
    assert_int_equal(os_socket_pair(fds), 0);
    for (int i = 0; i < 2; i++) {
        assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        assert_int_equal(read(fds[i], &byte, 1), -1);
        assert_int_equal(errno, EAGAIN);
    }
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(os_nonblocking(fds[0]), SP_ESYS);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(os_nonblocking(fds[0]), 0);
    assert_int_equal(read(fds[0], &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    close(fds[0]);
    close(fds[1]);
    unsigned raised = os_raise_nofile();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur == limit.rlim_max);
    assert_true(raised == limit.rlim_cur || raised == UINT_MAX);
}

static void test_clocks(void **state) {
    (void)state;
    uint64_t before = os_monotonic_ms(), boot = os_boottime_ms();
    usleep(5000);
    assert_true(os_monotonic_ms() >= before + 5);
    assert_true(os_boottime_ms() >= boot + 5);
    assert_true(os_boottime_ms() >= before);
    assert_true(os_realtime_s() > 1700000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_state_dir_is_made, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_state_dir_is_refused, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_state_dir_of_another, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_as_somebody_else, folder_setup, folder_teardown),
        cmocka_unit_test(test_default_paths),
        cmocka_unit_test_setup_teardown(test_lock, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_files, folder_setup, folder_teardown),
        cmocka_unit_test_setup_teardown(test_write_leaves_nothing_behind, folder_setup, folder_teardown),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_sockets_and_limits),
        cmocka_unit_test(test_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
