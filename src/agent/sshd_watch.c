#include "sshd_watch.h"

#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"

enum { AGAIN_MS = 120000, RETRY_MS = 10000, ASK_S = 5 };

struct target {
    char host[64];
    uint16_t port;
    bool logins;
};

/* The look belongs to its thread until it is done; the watch may be gone by then. */
struct look {
    struct sshd_watch *watch; /* NULL: nobody waits any more. Touched on the loop only. */
    struct target target;
    int rc;
    struct ssh_probe probe;
};

struct sshd_watch {
    struct work *work;
    struct look *look; /* while it runs */
    struct loop_timer again;
    struct target target;
    void (*seen)(void *ctx, const struct ssh_probe *probe);
    void *ctx;
};

static bool is_same(const struct target *a, const struct target *b) {
    return a->port == b->port && a->logins == b->logins && strcmp(a->host, b->host) == 0;
}

static void look_run(void *ctx) {
    struct look *look = ctx;
    look->rc = ssh_probe_ask(look->target.host, look->target.port, ASK_S, look->target.logins, &look->probe);
}

static void watch_look(void *ctx);

static void look_done(void *ctx) {
    struct look *look = ctx;
    struct sshd_watch *watch = look->watch;
    if (watch) {
        watch->look = NULL;
        if (!is_same(&look->target, &watch->target)) {
            watch_look(watch);
        } else {
            if (look->rc < 0 || look->target.logins)
                (void)loop_timer_set(&watch->again, look->rc < 0 ? RETRY_MS : AGAIN_MS);
            watch->seen(watch->ctx, look->rc < 0 ? NULL : &look->probe);
        }
    }
    free(look);
}

static void watch_look(void *ctx) {
    struct sshd_watch *watch = ctx;
    if (watch->look || !watch->target.port)
        return; /* the end of the one that runs looks at what is wanted then */
    struct look *look = calloc(1, sizeof *look);
    if (look) {
        look->watch = watch;
        look->target = watch->target;
        if (work_submit(watch->work, look_run, look_done, free, look) == 0) {
            watch->look = look;
            return;
        }
        free(look);
    }
    (void)loop_timer_set(&watch->again, RETRY_MS);
}

void sshd_watch_set(struct sshd_watch *watch, const char *host, uint16_t port, bool logins) {
    struct target target = {.port = port, .logins = logins};
    (void)str_copy(target.host, sizeof target.host, host);
    if (is_same(&target, &watch->target))
        return;
    watch->target = target;
    loop_timer_stop(&watch->again);
    watch_look(watch);
}

int sshd_watch_new(struct loop *loop, struct work *work, void (*seen)(void *ctx, const struct ssh_probe *probe),
                   void *ctx, struct sshd_watch **out) {
    struct sshd_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return SP_ENOMEM;
    watch->work = work;
    watch->seen = seen;
    watch->ctx = ctx;
    loop_timer_init(loop, &watch->again, watch_look, watch);
    *out = watch;
    return 0;
}

void sshd_watch_free(struct sshd_watch *watch) {
    if (!watch)
        return;
    if (watch->look)
        watch->look->watch = NULL;
    loop_timer_stop(&watch->again);
    free(watch);
}
