/* The relay's certificate over time: given in files or made by itself, renewed while the relay runs. */
#ifndef SALLYPORT_RELAY_CERTIFICATE_H
#define SALLYPORT_RELAY_CERTIFICATE_H

#include <stdint.h>

#include "sallyport/base/err.h"
#include "sallyport/base/loop.h"

struct certificate;
struct tls_server;

struct certificate_config {
    struct loop *loop;
    const char *cert, *key; /* PEM files that were given; both NULL: made by the relay itself in the state folder */
    const char *state;
    const char *host;     /* the relay's own name or address (IPv6 without brackets) */
    int64_t (*now)(void); /* UTC seconds; os_realtime_s but for tests */
    unsigned look_ms;     /* between two looks at the files; 0: 5 s */
    unsigned patience_ms; /* how long files that do not fit together may be half written; 0: 5 s */
};

/* Reads the pair, or makes it. From then on both files are looked at every few seconds (by what they resolve to, so
 * that symbolic links may move), and a changed pair is used for new connections; one that is of no use leaves the old
 * one, and is complained of once, in the log. The texts of `config` are copied. SP_EFORMAT and others as
 * tls_server_new and tls_self_signed say, with why. */
int certificate_new(const struct certificate_config *config, struct certificate **out, struct why *why);
/* Frees the server, too. NULL is allowed. */
void certificate_free(struct certificate *certificate);

/* The server with the certificate: the same one for as long as this object lives, and owned by it. */
struct tls_server *certificate_server(const struct certificate *certificate);

/* Somebody says that there is a new one (SIGHUP): it is read now, and what is wrong with it is said at once. */
void certificate_reload(struct certificate *certificate);

#endif
