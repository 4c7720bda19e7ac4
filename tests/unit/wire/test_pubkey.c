#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/digest.h"
#include "sallyport/wire/pubkey.h"

static int make_folder(void **state) {
    char *dir = strdup("/tmp/sallyport-test-pubkey-XXXXXX");
    assert_non_null(dir);
    assert_non_null(mkdtemp(dir));
    *state = dir;
    return 0;
}

static int remove_folder(void **state) {
    static const char *const names[] = {"k", "k.pub", "k.new"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        assert_int_equal(os_path(path, sizeof path, *state, names[i]), 0);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(*state), 0);
    free(*state);
    return 0;
}

/* Runs a stock ssh-keygen; what it prints goes into `out`. */
static void keygen(char *const *words, char *out, size_t size) {
    int ends[2];
    int status = -1;
    size_t len = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], 1);
        (void)close(ends[0]);
        execvp("ssh-keygen", words);
        _exit(127);
    }
    (void)close(ends[1]);
    for (ssize_t n; len < size - 1 && (n = read(ends[0], out + len, size - 1 - len)) > 0;)
        len += (size_t)n;
    out[len] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* A new key of that type; its public line, and the fingerprint that ssh-keygen prints for it. */
static void make_key(const char *dir, char *type, char *bits, char line[static 2048], char print[static 64]) {
    char path[128], public[140], shown[2048], comment[] = "a comment with blanks";
    char quiet[] = "-q", t[] = "-t", b[] = "-b", n[] = "-N", empty[] = "", c[] = "-C", f[] = "-f", l[] = "-lf";
    char program[] = "ssh-keygen";
    assert_int_equal(os_path(path, sizeof path, dir, "k"), 0);
    (void)snprintf(public, sizeof public, "%s.pub", path);
    (void)unlink(path);
    (void)unlink(public);
    char *make[] = {program, quiet, t, type, n, empty, c, comment, f, path, bits ? b : NULL, bits, NULL};
    keygen(make, shown, sizeof shown);
    char *show[] = {program, l, public, NULL};
    keygen(show, shown, sizeof shown);
    char *begin = strstr(shown, "SHA256:");
    assert_non_null(begin);
    begin[strcspn(begin, " ")] = '\0';
    assert_int_equal(str_copy(print, 64, begin), 0);
    struct buf text;
    buf_init(&text);
    assert_int_equal(os_read_file(public, 2047, &text), 0);
    assert_int_equal(str_copy(line, 2048, buf_string(&text)), 0);
    buf_fini(&text);
}

static void test_keys_of_ssh_keygen(void **state) {
    struct {
        char type[16], bits[8];
        const char *name;
    } kinds[] = {{"ed25519", "", "ssh-ed25519"},
                 {"ecdsa", "256", "ecdsa-sha2-nistp256"},
                 {"ecdsa", "384", "ecdsa-sha2-nistp384"},
                 {"ecdsa", "521", "ecdsa-sha2-nistp521"},
                 {"rsa", "2048", "ssh-rsa"},
                 {"rsa", "4096", "ssh-rsa"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char line[2048], print[64];
        struct pubkey key;
        struct why why = {""};
        make_key(*state, kinds[i].type, kinds[i].bits[0] ? kinds[i].bits : NULL, line, print);
        if (pubkey_parse(line, &key, &why) < 0)
            fail_msg("%s %s: %s", kinds[i].type, kinds[i].bits, why.text);
        assert_string_equal(key.type, kinds[i].name);
        assert_string_equal(key.fingerprint, print);
        assert_string_equal(key.comment, "a comment with blanks");
        assert_non_null(strstr(line, key.base64));
    }
}

static void test_weak_rsa(void **state) {
    char line[2048], print[64], type[] = "rsa", bits[] = "1024";
    struct pubkey key = {.type = "untouched"};
    struct why why = {""};
    make_key(*state, type, bits, line, print);
    assert_int_equal(pubkey_parse(line, &key, &why), SP_EFORMAT);
    assert_non_null(strstr(why.text, "2048"));
    assert_string_equal(key.type, "untouched");
}

static size_t put_text(uint8_t *to, const void *text, size_t n) {
    to[0] = to[1] = 0;
    to[2] = (uint8_t)(n >> 8);
    to[3] = (uint8_t)n;
    memcpy(to + 4, text, n);
    return n + 4;
}

/* A security key needs a device to be made, but its public half is only bytes (OpenSSH, PROTOCOL.u2f). */
static void test_security_key(void **state) {
    (void)state;
    static const char type[] = "sk-ssh-ed25519@openssh.com";
    uint8_t blob[128], point[32] = {1, 2, 3}, digest[DIGEST_SIZE];
    char text[256], line[512], print[64];
    size_t n = put_text(blob, type, strlen(type));
    n += put_text(blob + n, point, sizeof point);
    n += put_text(blob + n, "ssh:", 4);
    base64_encode(text, blob, n);
    assert_int_equal(digest_sha256(blob, n, digest), 0);
    base64_encode(print, digest, sizeof digest);
    for (size_t len = strlen(text); len % 4; len++) {
        text[len] = '=';
        text[len + 1] = '\0';
    }
    (void)snprintf(line, sizeof line, "%s %s me", type, text);
    struct pubkey key;
    struct why why = {""};
    if (pubkey_parse(line, &key, &why) < 0)
        fail_msg("%s", why.text);
    assert_string_equal(key.type, type);
    assert_string_equal(key.fingerprint + strlen("SHA256:"), print);
}

#define GOOD "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"

static void test_what_people_paste(void **state) {
    (void)state;
    struct pubkey key;
    static const struct {
        const char *line, *comment;
    } good[] = {{"ssh-ed25519 " GOOD, ""},
                {"  ssh-ed25519\t " GOOD " \n", ""},
                {"ssh-ed25519 " GOOD " me@box\r\nssh-rsa AAAA", "me@box"},
                {"ssh-ed25519 " GOOD "  two  words", "two  words"},
                {"ssh-ed25519 " GOOD " bell\a", ""},
                {"ssh-ed25519 " GOOD " \xff\xfe", ""}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct why why = {""};
        if (pubkey_parse(good[i].line, &key, &why) < 0)
            fail_msg("%s: %s", good[i].line, why.text);
        assert_string_equal(key.base64, GOOD);
        assert_string_equal(key.comment, good[i].comment);
    }
    static const struct {
        const char *line, *says;
    } bad[] = {{"", "not an SSH public key"},
               {"ssh-ed25519", "not an SSH public key"},
               {"ssh-ed25519 ", "not an SSH public key"},
               {"-----BEGIN OPENSSH PRIVATE KEY-----", "private key"},
               {GOOD, "not an SSH public key"},
               {"ssh-dss AAAAB3NzaC1kc3MAAACB", "not an SSH public key"},
               {"ssh-ed25519-cert-v01@openssh.com " GOOD, "not an SSH public key"},
               {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoq", "cut short"},
               {"ssh-ed25519 !!!!", "damaged"},
               {"ssh-rsa " GOOD, "damaged"},
               {"ecdsa-sha2-nistp256 " GOOD, "damaged"},
               {"command=\"x\" ssh-ed25519 " GOOD, "not an SSH public key"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct why why = {""};
        assert_int_equal(pubkey_parse(bad[i].line, &key, &why), SP_EFORMAT);
        if (!strstr(why.text, bad[i].says))
            fail_msg("%s: %s", bad[i].line, why.text);
    }
}

static void test_long_lines(void **state) {
    (void)state;
    static char line[5000];
    struct pubkey key;
    struct why why = {""};
    int begun = snprintf(line, sizeof line, "ssh-ed25519 ");
    memset(line + begun, 'A', sizeof line - 1 - (size_t)begun);
    assert_int_equal(pubkey_parse(line, &key, &why), SP_EFORMAT);
    (void)snprintf(line, sizeof line, "ssh-ed25519 " GOOD " %0500d", 7);
    assert_int_equal(pubkey_parse(line, &key, &why), 0);
    assert_int_equal(strlen(key.comment), sizeof key.comment - 1);
}

static void test_a_pair_is_made_and_loaded(void **state) {
    char path[128];
    struct keypair *made = NULL, *loaded = NULL;
    struct why why = {""};
    struct stat st;
    assert_int_equal(os_path(path, sizeof path, *state, "k"), 0);
    assert_int_equal(keypair_load(path, &loaded, &why), SP_ENOENT);
    assert_null(loaded);
    mode_t mask = umask(0);
    assert_int_equal(keypair_load_or_make(path, &made, &why), 0);
    assert_int_equal(umask(mask), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_string_equal(keypair_public(made)->type, "ssh-ed25519");
    assert_int_equal(keypair_load_or_make(path, &loaded, &why), 0);
    assert_string_equal(keypair_public(made)->fingerprint, keypair_public(loaded)->fingerprint);
    keypair_free(loaded);
    loaded = NULL;
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(keypair_load(path, &loaded, &why), SP_EDENIED);
    assert_non_null(strstr(why.text, "chmod 600"));
    keypair_free(made);
    keypair_free(NULL);
}

static void test_a_damaged_pair_is_kept(void **state) {
    char path[128];
    struct keypair *pair = NULL;
    struct why why = {""};
    struct buf text;
    assert_int_equal(os_path(path, sizeof path, *state, "k"), 0);
    assert_int_equal(os_write_file(path, "garbage\n", 8, 0600), 0);
    assert_int_equal(keypair_load_or_make(path, &pair, &why), SP_EFORMAT);
    assert_null(pair);
    buf_init(&text);
    assert_int_equal(os_read_file(path, 100, &text), 0);
    assert_string_equal(buf_string(&text), "garbage\n");
    buf_fini(&text);
}

#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(test_keys_of_ssh_keygen),     FOLDER_TEST(test_weak_rsa),
        cmocka_unit_test(test_security_key),      cmocka_unit_test(test_what_people_paste),
        cmocka_unit_test(test_long_lines),        FOLDER_TEST(test_a_pair_is_made_and_loaded),
        FOLDER_TEST(test_a_damaged_pair_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
