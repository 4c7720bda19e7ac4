/* The TLS server: one SSL_CTX, swapped whole when the certificate is renewed, and the list of its handshakes. */
#include "tls_local.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Only what has forward secrecy and authenticates what it encrypts. AES-128 before AES-256: as safe, and faster. */
#define CIPHERS_TLS12 "ECDHE+AES128+AESGCM:ECDHE+AESGCM:ECDHE+CHACHA20"
#define CIPHERS_TLS13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

int tls_refuse_passphrase(char *to, int size, int writing, void *ctx) {
    (void)to;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

const char *tls_reason(void) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason ? reason : "no reason given";
}

/* HTTP/1.1 when the client knows it by that name; else no protocol is agreed on, which means the same (RFC 7301). */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
                           unsigned int size, void *ctx) {
    static const char wanted[] = "http/1.1";
    (void)ssl;
    (void)ctx;
    for (unsigned int at = 0; at < size && offered[at] < size - at; at += 1U + offered[at]) {
        if (offered[at] == sizeof(wanted) - 1 && memcmp(offered + at + 1, wanted, sizeof(wanted) - 1) == 0) {
            *out = offered + at + 1;
            *out_len = sizeof(wanted) - 1;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *context_new(void) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, CIPHERS_TLS12) != 1 || SSL_CTX_set_ciphersuites(ctx, CIPHERS_TLS13) != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    /* Our order counts, but for clients that have no AES in hardware: they begin with ChaCha20, and get it. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    /* A record's head and body, and the records after it, by one recv. A larger buffer than one record's was slower. */
    SSL_CTX_set_read_ahead(ctx, 1);
    /* Tickets resume without any memory of ours; the server-side cache would grow with every visitor. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ctx, tls_refuse_passphrase);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    return ctx;
}

static int context_load(SSL_CTX *ctx, const char *cert_path, const char *key_path, struct why *why) {
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_path) != 1) {
        why_set(why, "%s: not a usable certificate (%s): give a PEM file with the server's certificate first",
                cert_path, tls_reason());
        return SP_EFORMAT;
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, key_path, SSL_FILETYPE_PEM) != 1) {
        if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH) {
            why_set(why, "%s is not the key of the certificate in %s: give the two that were made together", key_path,
                    cert_path);
        } else {
            why_set(why, "%s: not a usable private key (%s): give a PEM file without a passphrase", key_path,
                    tls_reason());
        }
        return SP_EFORMAT;
    }
    return 0;
}

static int context_build(const char *cert_path, const char *key_path, SSL_CTX **out, struct why *why) {
    SSL_CTX *ctx = context_new();
    if (!ctx) {
        why_set(why, "OpenSSL could not be set up: %s", tls_reason());
        return SP_ENOMEM;
    }
    int rc = context_load(ctx, cert_path, key_path, why);
    ERR_clear_error();
    if (rc) {
        SSL_CTX_free(ctx);
        return rc;
    }
    *out = ctx;
    return 0;
}

int tls_server_new(const char *cert_path, const char *key_path, struct tls_server **out, struct why *why) {
    struct tls_server *server = calloc(1, sizeof(*server));
    if (!server) {
        return SP_ENOMEM;
    }
    list_init(&server->conns);
    int rc = context_build(cert_path, key_path, &server->ctx, why);
    if (rc) {
        free(server);
        return rc;
    }
    *out = server;
    return 0;
}

int tls_server_reload(struct tls_server *server, const char *cert_path, const char *key_path, struct why *why) {
    SSL_CTX *fresh = NULL;
    int rc = context_build(cert_path, key_path, &fresh, why);
    if (rc) {
        return rc;
    }
    /* Live connections hold a reference to the old one. */
    SSL_CTX_free(server->ctx);
    server->ctx = fresh;
    return 0;
}

void tls_server_free(struct tls_server *server) {
    if (!server) {
        return;
    }
    tls_conn_fail_all(&server->conns);
    SSL_CTX_free(server->ctx);
    free(server);
}

int tls_server_fingerprint(const struct tls_server *server, char to[static TLS_FINGERPRINT_SIZE]) {
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    X509 *cert = SSL_CTX_get0_certificate(server->ctx);
    if (!cert || X509_digest(cert, EVP_sha256(), hash, &len) != 1 || len * 3 > TLS_FINGERPRINT_SIZE) {
        return SP_ECRYPTO;
    }
    for (unsigned i = 0; i < len; i++) {
        snprintf(to + i * 3, 4, "%02X%s", hash[i], i + 1 < len ? ":" : "");
    }
    return 0;
}

int64_t tls_server_not_after(const struct tls_server *server) {
    struct tm date;
    const X509 *cert = SSL_CTX_get0_certificate(server->ctx);
    if (!cert || ASN1_TIME_to_tm(X509_get0_notAfter(cert), &date) != 1) {
        return 0;
    }
    return timegm(&date);
}

bool tls_server_names(const struct tls_server *server, const char *host) {
    X509 *cert = SSL_CTX_get0_certificate(server->ctx);
    return cert && (X509_check_host(cert, host, 0, 0, NULL) == 1 || X509_check_ip_asc(cert, host, 0) == 1);
}
