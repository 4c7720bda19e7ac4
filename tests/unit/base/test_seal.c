/* What is left to a process that has sealed itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "sallyport/base/os.h"
#include "sallyport/base/seal.h"

/* "mine" may be written, "shown" read, "other" nothing; each has a "file" with one byte. */
struct place {
    char root[64];
    int mine, shown, other; /* the folders, open since before */
};

static int make_file(const char *root, const char *folder) {
    char path[128];
    assert_true(snprintf(path, sizeof path, "%s/%s", root, folder) < (int)sizeof path);
    assert_int_equal(mkdir(path, 0700), 0);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    int file = openat(fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    assert_int_equal(write(file, "x", 1), 1);
    assert_int_equal(close(file), 0);
    return fd;
}

static int make_place(void **state) {
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    (void)snprintf(place->root, sizeof place->root, "/tmp/sallyport-seal-XXXXXX");
    assert_non_null(mkdtemp(place->root));
    place->mine = make_file(place->root, "mine");
    place->shown = make_file(place->root, "shown");
    place->other = make_file(place->root, "other");
    *state = place;
    return 0;
}

static int remove_place(void **state) {
    static const char *const folders[] = {"mine", "shown", "other"};
    struct place *place = *state;
    char path[192];
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", place->root, folders[i]);
        DIR *dir = opendir(path);
        assert_non_null(dir);
        for (const struct dirent *entry; (entry = readdir(dir));)
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
        assert_int_equal(closedir(dir), 0);
        assert_int_equal(rmdir(path), 0);
    }
    assert_int_equal(rmdir(place->root), 0);
    (void)close(place->mine);
    (void)close(place->shown);
    (void)close(place->other);
    free(place);
    return 0;
}

/* The interface's version, and sealed; 0: this kernel has none, which is said. */
static int seal_here(const struct place *place) {
    char path[128];
    struct seal seal;
    int rc = seal_init(&seal);
    if (rc == SP_ENOENT) {
        print_message("SKIPPED: this kernel has no Landlock (%s)\n", strerror(errno));
        return 0;
    }
    (void)snprintf(path, sizeof path, "%s/mine", place->root);
    if (rc != 0 || seal_allow(&seal, path, SEAL_WRITE) != 0)
        return -1;
    (void)snprintf(path, sizeof path, "%s/shown", place->root);
    if (seal_allow(&seal, path, SEAL_READ) != 0 || seal_allow(&seal, "/dev/null", SEAL_WRITE) != 0)
        return -2;
    (void)snprintf(path, sizeof path, "%s/nothing", place->root);
    if (seal_allow(&seal, path, SEAL_READ) != SP_ENOENT || seal_apply(&seal) != 0)
        return -3;
    seal_fini(&seal);
    seal_fini(&seal);
    return seal.version;
}

/* What a child's main returns: 0, or the line at which something was wrong. */
static void in_child(struct place *place, int (*main)(struct place *place)) {
    int status = 0;
    int pipe_fds[2], wrong = -1;
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        wrong = main(place);
        _exit(write(pipe_fds[1], &wrong, sizeof wrong) == sizeof wrong ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(read(pipe_fds[0], &wrong, sizeof wrong), sizeof wrong);
    assert_int_equal(wrong, 0);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
}

#define WANT(what) \
    if (!(what)) \
    return __LINE__

static bool opens(int folder, const char *name, int flags) {
    int fd = openat(folder, name, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

static bool denied(bool done) {
    return !done && errno == EACCES;
}

static int sealed_files(struct place *place) {
    char shown[128];
    (void)snprintf(shown, sizeof shown, "%s/shown/file", place->root);
    int version = seal_here(place);
    if (version <= 0)
        return version;
    WANT(opens(place->mine, "file", O_RDWR | O_TRUNC) && opens(place->mine, "new", O_WRONLY | O_CREAT));
    WANT(renameat(place->mine, "new", place->mine, "renamed") == 0 && unlinkat(place->mine, "renamed", 0) == 0);
    WANT(opens(place->mine, ".", O_RDONLY | O_DIRECTORY));
    WANT(opens(place->shown, "file", O_RDONLY) && opens(place->shown, ".", O_RDONLY | O_DIRECTORY));
    WANT(denied(opens(place->shown, "file", O_WRONLY)) && denied(opens(place->shown, "new", O_WRONLY | O_CREAT)));
    WANT(denied(unlinkat(place->shown, "file", 0) == 0));
    WANT(denied(opens(place->other, "file", O_RDONLY)) && denied(opens(place->other, ".", O_RDONLY | O_DIRECTORY)));
    WANT(denied(opens(place->other, "new", O_WRONLY | O_CREAT)) && denied(unlinkat(place->other, "file", 0) == 0));
    WANT(denied(mkdirat(place->mine, "folder", 0700) == 0) && denied(symlinkat("/", place->mine, "link") == 0));
    WANT(renameat(place->mine, "file", place->other, "moved") != 0);
    WANT(version < 3 || denied(truncate(shown, 0) == 0));
    struct termios terminal;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    WANT(version < 5 || denied(ioctl(null, TCGETS, &terminal) == 0));
    WANT(opens(AT_FDCWD, "/dev/null", O_RDWR) && denied(opens(AT_FDCWD, "/etc/passwd", O_RDONLY)));
    return 0;
}

static void test_files(void **state) {
    in_child(*state, sealed_files);
}

static int sealed_programs(struct place *place) {
    char path[128];
    char *const argv[] = {path, NULL};
    int version = seal_here(place);
    if (version <= 0)
        return version;
    (void)snprintf(path, sizeof path, "%s/mine/file", place->root);
    WANT(denied(execv(path, argv) == 0));
    WANT(denied(execv("/proc/self/exe", argv) == 0));
    return 0;
}

static void test_programs(void **state) {
    in_child(*state, sealed_programs);
}

/* 0, or the errno of bind. */
static int try_bind(const struct sockaddr *address, socklen_t size) {
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failed = fd < 0 || bind(fd, address, size) != 0 ? errno : 0;
    if (fd >= 0)
        (void)close(fd);
    return failed;
}

static int sealed_ports(struct place *place) {
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct sockaddr *address = (const struct sockaddr *)&any;
    WANT(try_bind(address, sizeof any) == 0);
    int version = seal_here(place);
    if (version <= 0)
        return version;
    WANT(try_bind(address, sizeof any) == (version >= 4 ? EACCES : 0));
    return 0;
}

static void test_ports(void **state) {
    in_child(*state, sealed_ports);
}

static int sealed_others(struct place *place) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int far = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), near = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "sallyport-seal-%ld", (long)getpid());
    WANT(far >= 0 && near >= 0);
    WANT(bind(far, (const struct sockaddr *)&name, sizeof name) == 0 && listen(far, 1) == 0);
    WANT(kill(getppid(), 0) == 0);
    int version = seal_here(place);
    if (version <= 0)
        return version;
    int expected = version >= 6 ? EPERM : 0;
    WANT((kill(getppid(), 0) == 0 ? 0 : errno) == expected);
    WANT((connect(near, (const struct sockaddr *)&name, sizeof name) == 0 ? 0 : errno) == expected);
    WANT(kill(getpid(), 0) == 0);
    return 0;
}

static void test_other_processes(void **state) {
    in_child(*state, sealed_others);
}

static void *look(void *ctx) {
    const struct place *place = ctx;
    return denied(opens(place->other, "file", O_RDONLY)) && opens(place->shown, "file", O_RDONLY) ? ctx : NULL;
}

static int sealed_thread(struct place *place) {
    pthread_t thread;
    void *seen = NULL;
    int version = seal_here(place);
    if (version <= 0)
        return version;
    WANT(pthread_create(&thread, NULL, look, place) == 0 && pthread_join(thread, &seen) == 0);
    WANT(seen == place);
    return 0;
}

static void test_later_threads(void **state) {
    in_child(*state, sealed_thread);
}

static int sealed_reasons(struct place *place) {
    char other[128], shown[128], none[128];
    (void)snprintf(other, sizeof other, "%s/other/file", place->root);
    (void)snprintf(shown, sizeof shown, "%s/shown/file", place->root);
    (void)snprintf(none, sizeof none, "%s/other/none", place->root);
    WANT(!seal_denies(other));
    int version = seal_here(place);
    if (version <= 0)
        return version;
    WANT(seal_denies(other) && !seal_denies(shown) && !seal_denies(none));
    return 0;
}

static void test_what_is_said_to_be_denied(void **state) {
    in_child(*state, sealed_reasons);
}

#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)

int main(void) {
    const struct CMUnitTest tests[] = {
        PLACE_TEST(test_files),           PLACE_TEST(test_programs),      PLACE_TEST(test_ports),
        PLACE_TEST(test_other_processes), PLACE_TEST(test_later_threads), PLACE_TEST(test_what_is_said_to_be_denied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
