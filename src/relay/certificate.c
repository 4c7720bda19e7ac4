#include "certificate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sallyport/base/log.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/tls.h"
#include "sealed.h"

enum {
    LOOK_MS = 5000,
    HURRY_MS = 250, /* between two looks while files seem to be half written */
    PATIENCE_MS = 5000,
    RENEW_S = 3600, /* between two looks whether the self-made one has to be made anew */
    DAY_S = 86400,  /* between two warnings; and keys of tickets are no older */
    WARN_DAYS = 14,
};

/* What tells one state of a file from another. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

struct stamps {
    struct stamp cert, key;
};

struct certificate {
    struct loop *loop;
    struct tls_server *server;
    char *cert, *key, *host;
    bool self_made;
    int64_t (*now)(void);
    unsigned look_ms, patience_ms;
    struct loop_timer timer;
    struct stamps tried;             /* those files were read ... */
    bool serves;                     /* ... and are what is in use */
    struct why why;                  /* else this is wrong with them, */
    bool unsaid;                     /* which was not said yet: they may be half written */
    uint64_t since;                  /* seen then, on the loop's clock */
    int64_t loaded, renewed, warned; /* UTC seconds */
};

static struct stamp stamp_of(const char *path) {
    struct stat info;
    struct stamp stamp = {0};
    if (stat(path, &info) == 0) {
        stamp = (struct stamp){.device = info.st_dev,
                               .inode = info.st_ino,
                               .size = info.st_size,
                               .modified = info.st_mtim,
                               .changed = info.st_ctim};
    }
    return stamp;
}

static bool stamp_same(const struct stamp *a, const struct stamp *b) {
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static struct stamps certificate_stamps(const struct certificate *certificate) {
    return (struct stamps){.cert = stamp_of(certificate->cert), .key = stamp_of(certificate->key)};
}

static int64_t days_left(const struct certificate *certificate) {
    return (tls_server_not_after(certificate->server) - certificate->now()) / DAY_S;
}

/* What a browser will not like about a certificate that was given. */
static void certificate_judge(struct certificate *certificate) {
    char date[21], service[320];
    const struct tls_server *server = certificate->server;
    str_time(date, tls_server_not_after(server));
    log_info("%s is good until %s", certificate->cert, date);
    if (certificate->self_made)
        return;
    (void)snprintf(service, sizeof service, "machine--service.%s", certificate->host);
    if (!tls_server_names(server, certificate->host))
        log_warn("%s does not name %s: browsers will refuse the page", certificate->cert, certificate->host);
    else if (!tls_server_names(server, service))
        log_warn("%s does not name *.%s: browsers will refuse the services of machines", certificate->cert,
                 certificate->host);
    certificate->warned = 0;
}

/* Takes the files into use; on failure they are as good as not there, and certificate->why says why. */
static int certificate_read(struct certificate *certificate) {
    /* The stamps are of before the reading: what is written meanwhile is read at the next look. */
    certificate->tried = certificate_stamps(certificate);
    int rc = certificate->server
                 ? tls_server_reload(certificate->server, certificate->cert, certificate->key, &certificate->why)
                 : tls_server_new(certificate->cert, certificate->key, &certificate->server, &certificate->why);
    certificate->serves = rc == 0;
    certificate->unsaid = rc < 0;
    certificate->since = loop_now(certificate->loop);
    certificate->loaded = certificate->now();
    return rc;
}

static void certificate_complain(struct certificate *certificate) {
    char date[21];
    certificate->unsaid = false;
    str_time(date, tls_server_not_after(certificate->server));
    const char *hint = sealed_hint(certificate->cert);
    log_warn("%s%s. The old certificate stays in use; it is good until %s", certificate->why.text,
             hint[0] ? hint : sealed_hint(certificate->key), date);
}

static int certificate_make(struct certificate *certificate, struct why *why) {
    const char *host = certificate->host;
    certificate->renewed = certificate->now();
    return tls_self_signed(certificate->cert, certificate->key, &host, 1, why);
}

static void certificate_look(struct certificate *certificate) {
    struct stamps stamps = certificate_stamps(certificate);
    if (!stamp_same(&stamps.cert, &certificate->tried.cert) || !stamp_same(&stamps.key, &certificate->tried.key)) {
        if (certificate_read(certificate) == 0)
            certificate_judge(certificate);
    } else if (certificate->unsaid && loop_now(certificate->loop) - certificate->since >= certificate->patience_ms) {
        certificate_complain(certificate);
    } else if (certificate->serves && certificate->now() - certificate->loaded >= DAY_S) {
        /* The same files, but new keys for session tickets: what was recorded long ago cannot be opened with them. */
        (void)certificate_read(certificate);
    }
}

static void certificate_warn(struct certificate *certificate) {
    int64_t now = certificate->now(), left = days_left(certificate);
    if (certificate->self_made || left >= WARN_DAYS || now - certificate->warned < DAY_S)
        return;
    char date[21];
    certificate->warned = now;
    str_time(date, tls_server_not_after(certificate->server));
    if (tls_server_not_after(certificate->server) <= now)
        log_warn("%s has expired (%s): put a new certificate and its key in place", certificate->cert, date);
    else
        log_warn("%s expires in %lld days (%s): put a new certificate and its key in place", certificate->cert,
                 (long long)left, date);
}

static void certificate_turn(void *ctx) {
    struct certificate *certificate = ctx;
    struct why why = {""};
    if (certificate->self_made && certificate->now() - certificate->renewed >= RENEW_S &&
        certificate_make(certificate, &why) < 0)
        log_warn("%s", why.text);
    certificate_look(certificate);
    certificate_warn(certificate);
    unsigned hurry = certificate->look_ms < HURRY_MS ? certificate->look_ms : HURRY_MS;
    (void)loop_timer_set(&certificate->timer, certificate->unsaid ? hurry : certificate->look_ms);
}

void certificate_reload(struct certificate *certificate) {
    if (certificate_read(certificate) < 0)
        certificate_complain(certificate);
    else
        certificate_judge(certificate);
}

struct tls_server *certificate_server(const struct certificate *certificate) {
    return certificate->server;
}

static char *path_in(const char *state, const char *name) {
    char path[4200];
    return os_path(path, sizeof path, state, name) < 0 ? NULL : strdup(path);
}

int certificate_new(const struct certificate_config *config, struct certificate **out, struct why *why) {
    struct certificate *certificate = calloc(1, sizeof *certificate);
    if (!certificate)
        return SP_ENOMEM;
    certificate->loop = config->loop;
    certificate->now = config->now;
    certificate->look_ms = config->look_ms ? config->look_ms : LOOK_MS;
    certificate->patience_ms = config->patience_ms ? config->patience_ms : PATIENCE_MS;
    certificate->self_made = !config->cert;
    certificate->host = strdup(config->host);
    certificate->cert = config->cert ? strdup(config->cert) : path_in(config->state, "tls_certificate.pem");
    certificate->key = config->cert ? strdup(config->key) : path_in(config->state, "tls_key.pem");
    loop_timer_init(config->loop, &certificate->timer, certificate_turn, certificate);
    int rc = certificate->host && certificate->cert && certificate->key ? 0 : SP_ENOMEM;
    if (rc == 0 && certificate->self_made)
        rc = certificate_make(certificate, why);
    if (rc == 0)
        rc = certificate_read(certificate);
    if (rc == 0)
        rc = loop_timer_set(&certificate->timer, certificate->look_ms);
    if (rc < 0) {
        if (certificate->why.text[0])
            why_set(why, "%s", certificate->why.text);
        certificate_free(certificate);
        return rc;
    }
    certificate_judge(certificate);
    certificate_warn(certificate);
    *out = certificate;
    return 0;
}

void certificate_free(struct certificate *certificate) {
    if (!certificate)
        return;
    loop_timer_stop(&certificate->timer);
    tls_server_free(certificate->server);
    free(certificate->cert);
    free(certificate->key);
    free(certificate->host);
    free(certificate);
}
