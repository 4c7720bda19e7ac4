/* A temporary folder with the places of a certificate and its key. */
#ifndef SALLYPORT_TESTS_CERT_FOLDER_H
#define SALLYPORT_TESTS_CERT_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct cert_folder {
    char dir[64], cert[96], key[96];
};

static inline void cert_folder_init(struct cert_folder *folder) {
    snprintf(folder->dir, sizeof(folder->dir), "/tmp/sallyport-tls-XXXXXX");
    assert_non_null(mkdtemp(folder->dir));
    snprintf(folder->cert, sizeof(folder->cert), "%s/cert.pem", folder->dir);
    snprintf(folder->key, sizeof(folder->key), "%s/key.pem", folder->dir);
}

static inline void cert_folder_fini(struct cert_folder *folder) {
    unlink(folder->cert);
    unlink(folder->key);
    rmdir(folder->dir);
}

#endif
