/* The TLS server: one SSL_CTX, swapped whole when the certificate is renewed, and the list of its connections. */
#include "tls_local.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

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

static SSL_CTX *context_new(void) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    /* Tickets resume without any memory of ours; the server-side cache would grow with every visitor. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ctx, tls_refuse_passphrase);
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
    while (!list_is_empty(&server->conns)) {
        tls_conn_finish(list_item(server->conns.next, struct tls_conn, link));
    }
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
