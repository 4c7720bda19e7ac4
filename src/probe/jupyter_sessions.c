#include "sallyport/probe/jupyter_sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/err.h"
#include "sallyport/base/secret.h"
#include "sallyport/probe/ask.h"
#include "sallyport/probe/jupyter.h"

/* A server is one thread, and may be starting a kernel just now. */
#define ANSWER_MS 2000
/* About 500 bytes a notebook. */
#define ANSWER_MAX (256 * 1024)
/* What was known is kept for so many rounds without a useful answer. */
#define MISSES_MAX 3

struct watched {
    struct jupyter_sessions *sessions;
    struct jupyter_place place;
    struct ask *ask;   /* NULL when none is under way */
    char request[640]; /* has the token in it */
    struct notebooks notebooks;
    struct jupyter_kernels kernels;
    unsigned misses;
    bool refused;
    bool kept; /* while the list is compared with a new one */
};

struct jupyter_sessions {
    struct loop *loop;
    uint64_t round_ms;
    void (*changed)(void *ctx);
    void *ctx;
    struct loop_timer timer;
    struct watched *watched[JUPYTER_WATCHED_MAX]; /* each owned */
    size_t count;
    size_t asking;
    bool has_changed; /* in this round */
};

static void watched_free(struct watched *watched) {
    if (watched->ask != NULL)
        watched->sessions->asking--;
    ask_free(watched->ask);
    secret_wipe(watched, sizeof *watched);
    free(watched);
}

static void learn(struct watched *watched, const char *answer, size_t len) {
    struct notebooks now = {.known = false};
    struct jupyter_kernels kernels = {.count = 0};
    int rc = jupyter_parse_sessions(answer, len, &now, &kernels);
    watched->misses = rc == 0 ? 0 : watched->misses + 1;
    watched->refused = rc == SP_EDENIED;
    if (rc != 0 && !watched->refused && watched->misses < MISSES_MAX)
        return;
    watched->kernels = kernels;
    if (notebooks_equal(&watched->notebooks, &now))
        return;
    watched->notebooks = now;
    watched->sessions->has_changed = true;
}

static void tell(struct jupyter_sessions *sessions) {
    if (sessions->asking > 0 || !sessions->has_changed)
        return;
    sessions->has_changed = false;
    sessions->changed(sessions->ctx);
}

static void server_answered(void *ctx, const char *answer, size_t len, bool timed_out) {
    struct watched *watched = ctx;
    (void)timed_out;
    learn(watched, answer, len);
    ask_free(watched->ask);
    watched->ask = NULL;
    secret_wipe(watched->request, sizeof watched->request);
    watched->sessions->asking--;
    tell(watched->sessions);
}

/* What cannot be asked now is asked in the next round. */
static void ask_server(struct watched *watched) {
    const struct jupyter_place *place = &watched->place;
    bool has_token = place->token[0] != '\0';
    if (watched->ask != NULL || watched->refused)
        return;
    int n = snprintf(watched->request, sizeof watched->request,
                     "GET %sapi/sessions?no_track_activity=1 HTTP/1.0\r\nHost: 127.0.0.1:%u\r\n%s%s%s\r\n",
                     place->base_url, (unsigned)place->port, has_token ? "Authorization: token " : "", place->token,
                     has_token ? "\r\n" : "");
    struct ask_question question = {.host = place->host,
                                    .port = place->port,
                                    .request = watched->request,
                                    .timeout_ms = ANSWER_MS,
                                    .answer_max = ANSWER_MAX};
    if (n > 0 && (size_t)n < sizeof watched->request &&
        ask_new(watched->sessions->loop, &question, server_answered, watched, &watched->ask) == 0)
        watched->sessions->asking++;
}

static void sessions_round(void *ctx) {
    struct jupyter_sessions *sessions = ctx;
    for (size_t i = 0; i < sessions->count; i++)
        ask_server(sessions->watched[i]);
    if (sessions->count > 0)
        (void)loop_timer_set(&sessions->timer, sessions->round_ms);
}

static bool is_same(const struct jupyter_place *a, const struct jupyter_place *b) {
    return a->inode == b->inode && a->port == b->port && strcmp(a->host, b->host) == 0 &&
           strcmp(a->base_url, b->base_url) == 0 && strcmp(a->token, b->token) == 0;
}

static struct watched *find_same(const struct jupyter_sessions *sessions, const struct jupyter_place *place) {
    for (size_t i = 0; i < sessions->count; i++)
        if (is_same(&sessions->watched[i]->place, place))
            return sessions->watched[i];
    return NULL;
}

static void drop_others(struct jupyter_sessions *sessions) {
    size_t left = 0;
    for (size_t i = 0; i < sessions->count; i++) {
        if (sessions->watched[i]->kept)
            sessions->watched[left++] = sessions->watched[i];
        else
            watched_free(sessions->watched[i]);
    }
    sessions->count = left;
}

int jupyter_sessions_follow(struct jupyter_sessions *sessions, const struct jupyter_place *places, size_t count) {
    for (size_t i = 0; i < sessions->count; i++)
        sessions->watched[i]->kept = false;
    for (size_t i = 0; i < count; i++) {
        struct watched *old = find_same(sessions, &places[i]);
        if (old != NULL)
            old->kept = true;
    }
    drop_others(sessions);
    for (size_t i = 0; i < count && sessions->count < JUPYTER_WATCHED_MAX; i++) {
        if (find_same(sessions, &places[i]) != NULL)
            continue;
        struct watched *watched = calloc(1, sizeof *watched);
        if (watched == NULL)
            return SP_ENOMEM;
        watched->sessions = sessions;
        watched->place = places[i];
        sessions->watched[sessions->count++] = watched;
        ask_server(watched);
    }
    if (sessions->count > 0 && !loop_timer_is_set(&sessions->timer))
        return loop_timer_set(&sessions->timer, sessions->round_ms);
    return 0;
}

const struct notebooks *jupyter_sessions_find(const struct jupyter_sessions *sessions, uint16_t port) {
    for (size_t i = 0; i < sessions->count; i++)
        if (sessions->watched[i]->place.port == port && sessions->watched[i]->notebooks.known)
            return &sessions->watched[i]->notebooks;
    return NULL;
}

const char *jupyter_sessions_path(const struct jupyter_sessions *sessions, const char *kernel) {
    for (size_t i = 0; i < sessions->count; i++) {
        const struct jupyter_kernels *kernels = &sessions->watched[i]->kernels;
        for (size_t j = 0; j < kernels->count; j++)
            if (strcmp(kernels->items[j].id, kernel) == 0)
                return kernels->items[j].path;
    }
    return NULL;
}

int jupyter_sessions_new(struct loop *loop, uint64_t round_ms, void (*changed)(void *ctx), void *ctx,
                         struct jupyter_sessions **out) {
    struct jupyter_sessions *sessions = calloc(1, sizeof *sessions);
    if (sessions == NULL)
        return SP_ENOMEM;
    sessions->loop = loop;
    sessions->round_ms = round_ms;
    sessions->changed = changed;
    sessions->ctx = ctx;
    loop_timer_init(loop, &sessions->timer, sessions_round, sessions);
    *out = sessions;
    return 0;
}

void jupyter_sessions_free(struct jupyter_sessions *sessions) {
    if (sessions == NULL)
        return;
    loop_timer_stop(&sessions->timer);
    for (size_t i = 0; i < sessions->count; i++)
        watched_free(sessions->watched[i]);
    free(sessions);
}
