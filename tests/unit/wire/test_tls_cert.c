/* Certificates: those that we make, those that we are given, and what is said about bad ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>

#include "cert_folder.h"
#include "sallyport/wire/tls.h"

static int make_folder(void **state) {
    struct cert_folder *files = calloc(1, sizeof(*files));
    cert_folder_init(files);
    *state = files;
    return 0;
}

static int drop_folder(void **state) {
    cert_folder_fini(*state);
    free(*state);
    return 0;
}

static void file_load(const char *path, char *to, size_t size) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    to[fread(to, 1, size - 1, file)] = '\0';
    fclose(file);
}

static X509 *cert_load(const char *path) {
    FILE *file = fopen(path, "r");
    X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    assert_non_null(cert);
    return cert;
}

/* X509_check_host refuses wildcards below a single word, so this looks by the letter. */
static bool has_dns_name(X509 *cert, const char *name) {
    GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, i);
        found |= one->type == GEN_DNS && strcmp((const char *)ASN1_STRING_get0_data(one->d.dNSName), name) == 0;
    }
    GENERAL_NAMES_free(all);
    return found;
}

static void certificate_names_what_it_should(void **state) {
    struct cert_folder *files = *state;
    struct why why = {""};
    struct stat info;
    int days = 0, seconds = 0;
    static const char *const names[] = {"relay.example", "192.0.2.7", "2001:db8::1"};
    assert_int_equal(tls_self_signed(files->cert, files->key, names, 3, &why), 0);
    assert_int_equal(stat(files->key, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    X509 *cert = cert_load(files->cert);
    assert_int_equal(X509_check_host(cert, "relay.example", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(cert, "box1--jupyter.relay.example", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(cert, "localhost", 0, 0, NULL), 1);
    assert_true(has_dns_name(cert, "*.localhost"));
    assert_false(has_dns_name(cert, "*.example"));
    assert_int_equal(X509_check_host(cert, "other.example", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(cert, "192.0.2.7", 0), 1);
    assert_int_equal(X509_check_ip_asc(cert, "2001:db8::1", 0), 1);
    assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(cert, "::1", 0), 1);
    assert_int_equal(X509_check_ip_asc(cert, "192.0.2.8", 0), 0);
    assert_int_equal(ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)), 1);
    assert_in_range(days, 390, 397);
    X509_free(cert);
}

static void write_other_key(const char *path) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *file = fopen(path, "w");
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    EVP_PKEY_free(key);
}

static void certificate_is_kept_while_it_serves(void **state) {
    struct tls_server *server = NULL;
    struct cert_folder *files = *state;
    struct why why = {""};
    char first[8192], again[8192];
    static const char *const names[] = {"relay.example", "other.example"};
    assert_int_equal(tls_self_signed(files->cert, files->key, names, 1, &why), 0);
    file_load(files->cert, first, sizeof(first));
    assert_int_equal(tls_self_signed(files->cert, files->key, names, 1, &why), 0);
    file_load(files->cert, again, sizeof(again));
    assert_string_equal(first, again);
    assert_int_equal(tls_self_signed(files->cert, files->key, names, 2, &why), 0);
    file_load(files->cert, again, sizeof(again));
    assert_string_not_equal(first, again);
    FILE *file = fopen(files->key, "w");
    fputs("not a key\n", file);
    fclose(file);
    assert_int_equal(tls_self_signed(files->cert, files->key, names, 2, &why), 0);
    file_load(files->cert, first, sizeof(first));
    assert_string_not_equal(first, again);
    write_other_key(files->key);
    assert_int_equal(tls_self_signed(files->cert, files->key, names, 2, &why), 0);
    assert_int_equal(tls_server_new(files->cert, files->key, &server, &why), 0);
    tls_server_free(server);
}

static void certificate_is_renewed_before_its_end(void **state) {
    struct cert_folder *files = *state;
    struct why why = {""};
    static const struct {
        int days;
        bool kept;
    } cases[] = {{29, false}, {31, true}};
    for (size_t i = 0; i < 2; i++) {
        char before[8192], after[8192];
        assert_int_equal(tls_self_signed(files->cert, files->key, NULL, 0, &why), 0);
        X509 *cert = cert_load(files->cert);
        FILE *file = fopen(files->key, "r");
        EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
        fclose(file);
        X509_gmtime_adj(X509_getm_notAfter(cert), cases[i].days * 86400L);
        assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
        file = fopen(files->cert, "w");
        PEM_write_X509(file, cert);
        fclose(file);
        X509_free(cert);
        EVP_PKEY_free(key);
        file_load(files->cert, before, sizeof(before));
        assert_int_equal(tls_self_signed(files->cert, files->key, NULL, 0, &why), 0);
        file_load(files->cert, after, sizeof(after));
        assert_int_equal(strcmp(before, after) == 0, cases[i].kept);
    }
}

static void bad_files_are_named(void **state) {
    struct tls_server *server = NULL;
    struct cert_folder *files = *state;
    struct why why = {""};
    char other[128], print[TLS_FINGERPRINT_SIZE], same[TLS_FINGERPRINT_SIZE];
    static const char *const bad[] = {"not a name"};
    snprintf(other, sizeof(other), "%s/other.pem", files->dir);
    assert_int_equal(tls_self_signed(files->cert, files->key, bad, 1, &why), SP_EINVAL);
    assert_non_null(strstr(why.text, "not a name"));
    assert_int_equal(tls_server_new(files->cert, files->key, &server, &why), SP_EFORMAT);
    assert_non_null(strstr(why.text, files->cert));
    assert_int_equal(tls_self_signed(files->cert, files->key, NULL, 0, &why), 0);
    assert_int_equal(tls_server_new(files->cert, other, &server, &why), SP_EFORMAT);
    assert_non_null(strstr(why.text, other));
    write_other_key(other);
    assert_int_equal(tls_server_new(files->cert, other, &server, &why), SP_EFORMAT);
    assert_non_null(strstr(why.text, "not the key of the certificate"));
    assert_int_equal(tls_server_new(files->cert, files->key, &server, &why), 0);
    assert_int_equal(tls_server_fingerprint(server, print), 0);
    assert_int_equal(strlen(print), 95);
    assert_int_equal(tls_server_reload(server, files->cert, other, &why), SP_EFORMAT);
    assert_int_equal(tls_server_fingerprint(server, same), 0);
    assert_string_equal(print, same);
    unlink(files->key);
    assert_int_equal(tls_self_signed(files->cert, files->key, NULL, 0, &why), 0);
    assert_int_equal(tls_server_reload(server, files->cert, files->key, &why), 0);
    assert_int_equal(tls_server_fingerprint(server, same), 0);
    assert_string_not_equal(print, same);
    tls_server_free(server);
    unlink(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(certificate_names_what_it_should, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(certificate_is_kept_while_it_serves, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(certificate_is_renewed_before_its_end, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(bad_files_are_named, make_folder, drop_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
