#include "sallyport/probe/jupyter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_answer.h"
#include "jupyter_files.h"
#include "sallyport/base/err.h"
#include "sallyport/base/str.h"
#include "sallyport/probe/ask.h"

#define ANSWER_MS 300
#define ASKED_AT_ONCE 64
/* A port that keeps silent may be a Jupyter that is still loading: asked so often, after 1, 2, 4, ... rounds. */
#define SILENT_TRIES 6
/* So many rounds after a change files are read again: a server listens before it writes its file. */
#define FILE_ROUNDS 15

/* What is known of a listening socket. */
struct verdict {
    uint64_t inode;
    uint16_t port;
    bool is_known;
    bool is_jupyter;
    bool is_http;
    uint8_t tries;
    uint8_t wait; /* rounds until it is asked again */
    char version[32];
    char base_url[64];
};

struct question {
    struct jupyter_finder *finder;
    struct ask *ask; /* NULL when it is answered */
    uint64_t inode;
    uint16_t port;
    char base_url[64]; /* "/" at first; another one when the first answer told of it */
    char request[128];
};

struct jupyter_finder {
    struct loop *loop;
    const char *root;
    void (*settled)(void *ctx);
    void *ctx;
    struct listeners listeners; /* of the last look */
    unsigned file_rounds;
    struct jupyter_servers files; /* told by runtime files */
    struct jupyter_servers all;   /* the answer */
    struct verdict *verdicts;     /* one for each listener, in the same order */
    struct question questions[ASKED_AT_ONCE];
    size_t asking;
    bool found_new; /* by asking, since the files were read */
};

static int copy_listeners(struct listeners *to, const struct listeners *from) {
    struct listeners copy = {.count = from->count, .cap = from->count};
    if (from->count > 0) {
        copy.items = malloc(from->count * sizeof *copy.items);
        if (copy.items == NULL)
            return SP_ENOMEM;
        memcpy(copy.items, from->items, from->count * sizeof *copy.items);
    }
    listeners_fini(to);
    *to = copy;
    return 0;
}

/* Takes over the new listeners, with what is known of those that were there before. */
static int take_listeners(struct jupyter_finder *finder, const struct listeners *listeners) {
    struct verdict *verdicts = calloc(listeners->count + 1, sizeof *verdicts);
    size_t old = 0, old_count = finder->listeners.count;
    if (verdicts == NULL)
        return SP_ENOMEM;
    for (size_t i = 0; i < listeners->count; i++) {
        const struct listener *now = &listeners->items[i];
        verdicts[i] = (struct verdict){.inode = now->inode, .port = now->port};
        while (old < old_count && finder->verdicts[old].port < now->port) /* both are sorted by port */
            old++;
        for (size_t j = old; j < old_count && finder->verdicts[j].port == now->port; j++)
            if (finder->verdicts[j].inode == now->inode)
                verdicts[i] = finder->verdicts[j];
    }
    int rc = copy_listeners(&finder->listeners, listeners);
    if (rc != 0) {
        free(verdicts);
        return rc;
    }
    free(finder->verdicts);
    finder->verdicts = verdicts;
    return 0;
}

static int read_files(struct jupyter_finder *finder) {
    struct jupyter_servers fresh = {0};
    int rc = jupyter_files_scan(finder->root, &finder->listeners, &fresh);
    if (rc != 0) {
        jupyter_servers_fini(&fresh);
        return rc;
    }
    jupyter_servers_fini(&finder->files);
    finder->files = fresh;
    finder->found_new = false;
    return 0;
}

static int compare_port(const void *left, const void *right) {
    const struct jupyter_server *a = left, *b = right;
    return (a->listener.port > b->listener.port) - (a->listener.port < b->listener.port);
}

/* Those of the files, and those that only their sockets tell of. */
static int merge(struct jupyter_finder *finder) {
    struct jupyter_servers fresh = {0};
    int rc = 0;
    for (size_t i = 0; i < finder->files.count && rc == 0; i++)
        rc = jupyter_servers_add(&fresh, &finder->files.items[i]);
    for (size_t i = 0; i < finder->listeners.count && rc == 0; i++) {
        const struct verdict *verdict = &finder->verdicts[i];
        if (!verdict->is_jupyter || jupyter_servers_find(&fresh, verdict->port) != NULL)
            continue;
        struct jupyter_server server = {.listener = *listeners_find(&finder->listeners, verdict->port)};
        (void)str_copy(server.base_url, sizeof server.base_url, verdict->base_url);
        (void)str_copy(server.version, sizeof server.version, verdict->version);
        rc = jupyter_servers_add(&fresh, &server);
    }
    if (rc == SP_ENOMEM) {
        jupyter_servers_fini(&fresh);
        return rc;
    }
    if (fresh.count > 0)
        qsort(fresh.items, fresh.count, sizeof *fresh.items, compare_port);
    jupyter_servers_fini(&finder->all);
    finder->all = fresh;
    return 0;
}

/* Other than HTTP is no matter for waiting, nor is a page that is not the one wanted. */
static bool is_enough(const char *answer, size_t len) {
    if (memcmp(answer, "HTTP/", len < 5 ? len : 5) != 0)
        return true;
    return len > 12 && memcmp(answer + 9, "200", 3) != 0 && memmem(answer, len, "\r\n\r\n", 4) != NULL;
}

static void port_answered(void *ctx, const char *answer, size_t len, bool timed_out);

/* The first request stays below 71 bytes, for every listening port gets it: to ZeroMQ, as the ports of Jupyter's
 * kernels speak it, a stream that begins with 'G' is a frame of 71 bytes, and one that never ends does no harm. */
static int ask_question(struct question *question, const struct listener *listener) {
    char host[LISTENER_HOST_SIZE];
    listener_host(listener, host);
    (void)snprintf(question->request, sizeof question->request, "GET %sapi HTTP/1.0\r\nHost: 127.0.0.1:%u\r\n\r\n",
                   question->base_url, (unsigned)listener->port);
    struct ask_question asked = {.host = host,
                                 .port = listener->port,
                                 .request = question->request,
                                 .timeout_ms = ANSWER_MS,
                                 .enough = is_enough};
    return ask_new(question->finder->loop, &asked, port_answered, question, &question->ask);
}

static struct verdict *verdict_of(struct jupyter_finder *finder, const struct question *question, size_t *at) {
    for (size_t i = 0; i < finder->listeners.count; i++) {
        struct verdict *verdict = &finder->verdicts[i];
        if (verdict->inode == question->inode && verdict->port == question->port) {
            *at = i;
            return verdict;
        }
    }
    return NULL;
}

static void judge(struct verdict *verdict, const struct question *question, const char *answer, size_t len,
                  bool timed_out) {
    const char *body;
    verdict->is_http = http_answer_status(answer, len, &body) != 0;
    verdict->is_jupyter = jupyter_parse_api(answer, len, verdict->version) == 0;
    (void)str_copy(verdict->base_url, sizeof verdict->base_url, question->base_url);
    if (timed_out && len == 0 && ++verdict->tries < SILENT_TRIES)
        verdict->wait = (uint8_t)(1U << (verdict->tries - 1));
    else
        verdict->is_known = true;
}

static void port_answered(void *ctx, const char *answer, size_t len, bool timed_out) {
    struct question *question = ctx;
    struct jupyter_finder *finder = question->finder;
    char base_url[sizeof question->base_url];
    size_t at;
    struct ask *answered = question->ask;
    question->ask = NULL;
    struct verdict *verdict = verdict_of(finder, question, &at);
    if (verdict != NULL) {
        bool elsewhere = strcmp(question->base_url, "/") == 0 &&
                         jupyter_parse_elsewhere(answer, len, base_url, sizeof base_url) == 0;
        if (elsewhere && str_copy(question->base_url, sizeof question->base_url, base_url) == 0 &&
            ask_question(question, &finder->listeners.items[at]) == 0) {
            ask_free(answered);
            return;
        }
        judge(verdict, question, answer, len, timed_out);
        finder->found_new = finder->found_new || verdict->is_jupyter;
    }
    ask_free(answered);
    if (--finder->asking > 0)
        return;
    /* a server that answers has written its file */
    if ((finder->found_new && read_files(finder) != 0) || merge(finder) != 0)
        finder->file_rounds = FILE_ROUNDS;
    finder->settled(finder->ctx);
}

static int ask_port(struct jupyter_finder *finder, const struct listener *listener) {
    struct question *question = NULL;
    for (size_t i = 0; i < ASKED_AT_ONCE && question == NULL; i++)
        if (finder->questions[i].ask == NULL)
            question = &finder->questions[i];
    if (question == NULL)
        return SP_EBUSY;
    *question = (struct question){.finder = finder, .inode = listener->inode, .port = listener->port, .base_url = "/"};
    int rc = ask_question(question, listener);
    if (rc == 0)
        finder->asking++;
    return rc;
}

static bool is_asked(struct jupyter_finder *finder, size_t at, const uint16_t *skip, size_t skip_count) {
    const struct listener *listener = &finder->listeners.items[at];
    struct verdict *verdict = &finder->verdicts[at];
    if (verdict->is_known || listener->port < 1024 || listener->address_class == LISTEN_OTHER)
        return false;
    if (jupyter_servers_find(&finder->files, listener->port) != NULL ||
        listeners_find(&finder->listeners, listener->port) != listener)
        return false;
    for (size_t i = 0; i < skip_count; i++)
        if (skip[i] == listener->port)
            return false;
    if (verdict->wait > 0)
        return --verdict->wait == 0;
    return true;
}

int jupyter_finder_look(struct jupyter_finder *finder, const struct listeners *listeners, const uint16_t *skip,
                        size_t skip_count) {
    int rc = 0;
    if (finder->asking > 0)
        return 0;
    if (!listeners_equal(&finder->listeners, listeners)) {
        rc = take_listeners(finder, listeners);
        finder->file_rounds = FILE_ROUNDS;
    }
    if (rc == 0 && finder->file_rounds > 0) {
        finder->file_rounds--;
        rc = read_files(finder);
        if (rc == 0)
            rc = merge(finder);
    }
    for (size_t i = 0; i < finder->listeners.count && rc == 0; i++)
        if (is_asked(finder, i, skip, skip_count))
            rc = ask_port(finder, &finder->listeners.items[i]);
    return rc == SP_ENOMEM ? rc : 0;
}

bool jupyter_finder_busy(const struct jupyter_finder *finder) {
    return finder->asking > 0;
}

bool jupyter_finder_heard_http(const struct jupyter_finder *finder, const struct listener *listener) {
    for (size_t i = 0; i < finder->listeners.count; i++) {
        const struct verdict *verdict = &finder->verdicts[i];
        if (verdict->inode == listener->inode && verdict->port == listener->port)
            return verdict->is_http && !verdict->is_jupyter;
    }
    return false;
}

const struct jupyter_server *jupyter_finder_list(const struct jupyter_finder *finder, size_t *count) {
    *count = finder->all.count;
    return finder->all.items;
}

int jupyter_finder_new(struct loop *loop, const char *root, void (*settled)(void *ctx), void *ctx,
                       struct jupyter_finder **out) {
    struct jupyter_finder *finder = calloc(1, sizeof *finder);
    if (finder == NULL)
        return SP_ENOMEM;
    finder->loop = loop;
    finder->root = root;
    finder->settled = settled;
    finder->ctx = ctx;
    *out = finder;
    return 0;
}

void jupyter_finder_free(struct jupyter_finder *finder) {
    if (finder == NULL)
        return;
    for (size_t i = 0; i < ASKED_AT_ONCE; i++)
        ask_free(finder->questions[i].ask);
    jupyter_servers_fini(&finder->files);
    jupyter_servers_fini(&finder->all);
    listeners_fini(&finder->listeners);
    free(finder->verdicts);
    free(finder);
}
