/* Certificates of our own making, for relays that were given none. */
#include "tls_local.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"

#define VALID_DAYS 397 /* browsers refuse more */
#define RENEW_DAYS 30
#define DAY_S 86400L
#define DNS_NAME_MAX 253
#define SUBJECT_MAX 64 /* of a common name, RFC 5280 appendix A.1 */
#define FILE_MAX 65536

static bool is_address(const char *name) {
    struct in6_addr address;
    return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
}

static bool is_dns_name(const char *name) {
    size_t len = strlen(name);
    return len > 0 && len <= DNS_NAME_MAX && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") == len;
}

static int cert_add_name(GENERAL_NAMES *names, int type, const char *text) {
    GENERAL_NAME *name = a2i_GENERAL_NAME(NULL, NULL, NULL, type, text, 0);
    if (!name) {
        return SP_ECRYPTO;
    }
    if (!sk_GENERAL_NAME_push(names, name)) {
        GENERAL_NAME_free(name);
        return SP_ENOMEM;
    }
    return 0;
}

static int cert_add_host(GENERAL_NAMES *names, const char *host) {
    char wildcard[DNS_NAME_MAX + 3];
    if (is_address(host)) {
        return cert_add_name(names, GEN_IPADD, host);
    }
    snprintf(wildcard, sizeof(wildcard), "*.%s", host);
    int rc = cert_add_name(names, GEN_DNS, host);
    return rc ? rc : cert_add_name(names, GEN_DNS, wildcard);
}

/* All that a certificate for these hosts names, the local ones included; freed by GENERAL_NAMES_free. */
static int cert_list_names(const char *const *hosts, size_t n, GENERAL_NAMES **out) {
    static const char *const local[] = {"localhost", "127.0.0.1", "::1"};
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
    int rc = all ? 0 : SP_ENOMEM;
    for (size_t i = 0; !rc && i < n; i++) {
        rc = cert_add_host(all, hosts[i]);
    }
    for (size_t i = 0; !rc && i < sizeof(local) / sizeof(local[0]); i++) {
        rc = cert_add_host(all, local[i]);
    }
    if (rc) {
        GENERAL_NAMES_free(all);
        return rc;
    }
    *out = all;
    return 0;
}

/* By the letter: OpenSSL's own check of host names refuses wildcards below a single word, such as *.localhost. */
static bool cert_has_names(X509 *cert, GENERAL_NAMES *wanted) {
    GENERAL_NAMES *have = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int found = 0, count = sk_GENERAL_NAME_num(wanted);
    for (int i = 0; have && i < count; i++) {
        for (int j = 0; j < sk_GENERAL_NAME_num(have); j++) {
            if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(wanted, i), sk_GENERAL_NAME_value(have, j)) == 0) {
                found++;
                break;
            }
        }
    }
    GENERAL_NAMES_free(have);
    return found == count;
}

static int cert_set_usage(X509 *cert) {
    static const struct {
        int nid;
        const char *value;
    } usages[] = {
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_key_usage, "critical,digitalSignature"},
        {NID_ext_key_usage, "serverAuth"},
    };
    for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++) {
        X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, usages[i].nid, usages[i].value);
        int ok = ext && X509_add_ext(cert, ext, -1) == 1;
        X509_EXTENSION_free(ext);
        if (!ok) {
            return SP_ECRYPTO;
        }
    }
    return 0;
}

static int cert_set_head(X509 *cert, EVP_PKEY *key, const char *subject) {
    uint8_t serial[16];
    int rc = secret_random(serial, sizeof(serial));
    if (rc) {
        return rc;
    }
    serial[0] &= 0x7f; /* positive, RFC 5280 section 4.1.2.2 */
    BIGNUM *number = BN_bin2bn(serial, sizeof(serial), NULL);
    X509_NAME *name = X509_get_subject_name(cert);
    /* An hour back, for clients whose clock is behind. */
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) && X509_set_version(cert, 2) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(cert), -3600) &&
              X509_gmtime_adj(X509_getm_notAfter(cert), VALID_DAYS * DAY_S) && X509_set_pubkey(cert, key) == 1 &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)subject, -1, -1, 0) == 1 &&
              X509_set_issuer_name(cert, name) == 1;
    BN_free(number);
    return ok ? 0 : SP_ECRYPTO;
}

static int cert_new(EVP_PKEY *key, const char *subject, GENERAL_NAMES *names, X509 **out) {
    X509 *cert = X509_new();
    int rc = cert ? 0 : SP_ENOMEM;
    if (!rc) {
        rc = cert_set_head(cert, key, subject);
    }
    if (!rc && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) != 1) {
        rc = SP_ECRYPTO;
    }
    if (!rc) {
        rc = cert_set_usage(cert);
    }
    if (!rc && X509_sign(cert, key, EVP_sha256()) <= 0) {
        rc = SP_ECRYPTO;
    }
    if (rc) {
        X509_free(cert);
        return rc;
    }
    *out = cert;
    return 0;
}

static int write_pem(const char *path, X509 *cert, EVP_PKEY *key, mode_t mode) {
    char *text = NULL;
    BIO *bio = BIO_new(BIO_s_secmem());
    int rc = bio ? 0 : SP_ENOMEM;
    if (!rc && !(key ? PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) : PEM_write_bio_X509(bio, cert))) {
        rc = SP_ECRYPTO;
    }
    if (!rc) {
        long len = BIO_get_mem_data(bio, &text);
        rc = os_write_file(path, text, (size_t)len, mode);
    }
    BIO_free(bio);
    return rc;
}

static BIO *open_pem(const char *path) {
    struct stat info;
    if (stat(path, &info) || !S_ISREG(info.st_mode) || info.st_size > FILE_MAX) {
        return NULL;
    }
    return BIO_new_file(path, "r");
}

/* Does what lies in the files still serve? Whatever cannot be read does not: it will be made anew. */
static bool pair_serves(const char *cert_path, const char *key_path, GENERAL_NAMES *names) {
    BIO *cert_file = open_pem(cert_path), *key_file = open_pem(key_path);
    X509 *cert = cert_file ? PEM_read_bio_X509(cert_file, NULL, NULL, NULL) : NULL;
    EVP_PKEY *key = key_file ? PEM_read_bio_PrivateKey(key_file, NULL, tls_refuse_passphrase, NULL) : NULL;
    time_t limit = time(NULL) + RENEW_DAYS * DAY_S;
    bool serves = cert && key && X509_check_private_key(cert, key) == 1 &&
                  X509_cmp_time(X509_get0_notAfter(cert), &limit) > 0 && cert_has_names(cert, names);
    EVP_PKEY_free(key);
    X509_free(cert);
    BIO_free(key_file);
    BIO_free(cert_file);
    ERR_clear_error();
    return serves;
}

static int pair_make(const char *cert_path, const char *key_path, const char *subject, GENERAL_NAMES *names,
                     struct why *why) {
    X509 *cert = NULL;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    int rc = key ? cert_new(key, subject, names, &cert) : SP_ECRYPTO;
    if (rc) {
        why_set(why, "no certificate could be made: %s", rc == SP_ECRYPTO ? tls_reason() : err_text(rc));
        goto out;
    }
    rc = write_pem(key_path, NULL, key, 0600);
    if (rc) {
        why_set(why, "%s cannot be written: %s", key_path, err_text(rc));
        goto out;
    }
    rc = write_pem(cert_path, cert, NULL, 0644);
    if (rc) {
        why_set(why, "%s cannot be written: %s", cert_path, err_text(rc));
    }
out:
    X509_free(cert);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return rc;
}

int tls_self_signed(const char *cert_path, const char *key_path, const char *const *names, size_t n, struct why *why) {
    GENERAL_NAMES *all = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!is_address(names[i]) && !is_dns_name(names[i])) {
            why_set(why, "'%s' cannot stand in a certificate: give a host name or an IP address", names[i]);
            return SP_EINVAL;
        }
    }
    int rc = cert_list_names(names, n, &all);
    if (rc) {
        why_set(why, "no certificate could be made: %s", err_text(rc));
        return rc;
    }
    if (!pair_serves(cert_path, key_path, all)) {
        rc = pair_make(cert_path, key_path, n && strlen(names[0]) <= SUBJECT_MAX ? names[0] : "sallyport", all, why);
    }
    GENERAL_NAMES_free(all);
    return rc;
}
