#include "sallyport/probe/sshd.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "sallyport/base/err.h"
#include "sallyport/base/log.h"
#include "sallyport/base/str.h"
#include "sallyport/probe/ask.h"

/* Long, for a socket-activated sshd has to start first. */
#define GREETING_MS 2000
/* So often a port that kept silent is asked again. */
#define SILENT_TRIES 5

struct candidate {
    struct sshd_finder *finder;
    struct ask *ask; /* NULL when it has answered */
    struct listener place;
    bool greeted;
};

struct sshd_finder {
    struct loop *loop;
    const char *root;
    void (*settled)(void *ctx);
    void *ctx;
    struct listener place;
    bool found;
    struct listener fallback; /* an sshd on a port of its own: taken when nothing better is there */
    bool fallback_found;
    struct candidate candidates[SSHD_PORTS_MAX + 2]; /* in the order of preference */
    size_t candidate_count;
    size_t asking;
    unsigned silent_rounds;
    bool silent; /* a candidate did not answer in time */
};

struct scan {
    const char *root;
    const struct listeners *listeners;
    uid_t owner;
    struct listener best;
    bool found;
};

static bool is_configured(const struct sshd_config *config, uint16_t port) {
    if (config->port_count == 0)
        return port == 22;
    for (size_t i = 0; i < config->port_count; i++)
        if (config->ports[i] == port)
            return true;
    return false;
}

bool sshd_is_system(const char *root, const struct listener *listener) {
    struct sshd_config config;
    if (listener->uid != 0)
        return false;
    sshd_config_read(root, &config);
    return is_configured(&config, listener->port);
}

static bool scan_socket(void *ctx, uint64_t inode) {
    struct scan *scan = ctx;
    for (size_t i = 0; i < scan->listeners->count; i++) {
        const struct listener *one = &scan->listeners->items[i];
        if (one->inode != inode || one->uid != scan->owner)
            continue;
        /* of one sshd's sockets, the one that is best to dial */
        const struct listener *dial = listeners_find(scan->listeners, one->port);
        const struct listener *place = dial->uid == one->uid ? dial : one;
        if (!scan->found || place->port < scan->best.port) {
            scan->best = *place;
            scan->found = true;
        }
    }
    return true;
}

/* Sessions of sshd and dropbear bear its name too, and listen for what their users forward. */
static bool is_session(const char *root, pid_t pid, const char *name) {
    char parent[PROCESS_NAME_SIZE], command[256];
    if (process_name(root, process_parent(root, pid), parent) && strcmp(parent, name) == 0)
        return true;
    return process_command(root, pid, command, sizeof command) && str_starts(command, "sshd: ") &&
           strstr(command, "[listener]") == NULL;
}

static bool scan_process(void *ctx, pid_t pid) {
    struct scan *scan = ctx;
    char name[PROCESS_NAME_SIZE];
    if (!process_name(scan->root, pid, name))
        return true;
    if (strcmp(name, "sshd") != 0 && strcmp(name, "dropbear") != 0)
        return true;
    if (!is_session(scan->root, pid, name))
        process_each_socket(scan->root, pid, scan_socket, scan);
    return true;
}

/* Of several, the one with the lowest port. */
static bool find_process(const struct sshd_finder *finder, const struct listeners *listeners, uid_t owner,
                         struct listener *out) {
    struct scan scan = {.root = finder->root, .listeners = listeners, .owner = owner};
    int rc = process_each(finder->root, scan_process, &scan);
    if (rc != 0)
        log_debug("sshd: cannot list the processes: %s", err_text(rc));
    if (scan.found)
        *out = scan.best;
    return scan.found;
}

static bool is_greeting(const char *answer, size_t len) {
    return len >= 4 && memcmp(answer, "SSH-", 4) == 0;
}

/* Four bytes tell. A server may send other lines before its greeting, but those of machines' sshds do not. */
static bool is_enough(const char *answer, size_t len) {
    (void)answer;
    return len >= 4;
}

/* The first in order that greeted, else the fallback; when nobody is asked any more. */
static void choose(struct sshd_finder *finder) {
    for (size_t i = 0; i < finder->candidate_count && !finder->found; i++) {
        if (finder->candidates[i].greeted) {
            finder->place = finder->candidates[i].place;
            finder->found = true;
        }
    }
    if (!finder->found && finder->fallback_found) {
        finder->place = finder->fallback;
        finder->found = true;
    }
    finder->candidate_count = 0;
}

static void candidate_answered(void *ctx, const char *answer, size_t len, bool timed_out) {
    struct candidate *candidate = ctx;
    struct sshd_finder *finder = candidate->finder;
    candidate->greeted = is_greeting(answer, len);
    finder->silent = finder->silent || timed_out;
    ask_free(candidate->ask);
    candidate->ask = NULL;
    if (--finder->asking == 0) {
        choose(finder);
        finder->settled(finder->ctx);
    }
}

static int add_candidate(struct sshd_finder *finder, const struct listeners *listeners, uint16_t port) {
    const struct listener *listener = listeners_find(listeners, port);
    if (listener == NULL)
        return 0;
    /* above 1023 any user can pose as the machine's sshd */
    if (port >= 1024 && listener->uid != 0 && listener->uid != geteuid())
        return 0;
    for (size_t i = 0; i < finder->candidate_count; i++)
        if (finder->candidates[i].place.port == port)
            return 0;
    struct candidate *candidate = &finder->candidates[finder->candidate_count];
    *candidate = (struct candidate){.finder = finder, .place = *listener};
    char host[LISTENER_HOST_SIZE];
    listener_host(listener, host);
    struct ask_question question = {.host = host, .port = port, .timeout_ms = GREETING_MS, .enough = is_enough};
    int rc = ask_new(finder->loop, &question, candidate_answered, candidate, &candidate->ask);
    if (rc == SP_ENOMEM)
        return rc;
    if (rc == 0) {
        finder->candidate_count++;
        finder->asking++;
    }
    return 0;
}

static void stop_asking(struct sshd_finder *finder) {
    for (size_t i = 0; i < finder->candidate_count; i++)
        ask_free(finder->candidates[i].ask);
    finder->candidate_count = 0;
    finder->asking = 0;
}

static bool still_there(const struct sshd_finder *finder, const struct listeners *listeners) {
    for (size_t i = 0; i < listeners->count; i++)
        if (listeners->items[i].inode == finder->place.inode && listeners->items[i].port == finder->place.port)
            return true;
    return false;
}

static bool find_configured(const struct listeners *listeners, const struct sshd_config *config, struct listener *out) {
    for (size_t i = 0; i < config->port_count; i++) {
        const struct listener *listener = listeners_find(listeners, config->ports[i]);
        if (listener != NULL && listener->uid == 0) {
            *out = *listener;
            return true;
        }
    }
    return false;
}

int sshd_finder_look(struct sshd_finder *finder, const struct listeners *listeners, bool changed) {
    struct sshd_config config;
    int rc = 0;

    if (finder->found && (!changed || still_there(finder, listeners)))
        return 0;
    if (changed)
        finder->silent_rounds = 0;
    else if (finder->asking > 0 || !finder->silent || ++finder->silent_rounds >= SILENT_TRIES)
        return 0;
    stop_asking(finder);
    finder->silent = false;
    sshd_config_read(finder->root, &config);
    finder->fallback_found = find_process(finder, listeners, 0, &finder->fallback);
    if (finder->fallback_found && is_configured(&config, finder->fallback.port)) {
        finder->place = finder->fallback;
        finder->found = true;
        return 0;
    }
    finder->found = find_configured(listeners, &config, &finder->place);
    if (finder->found)
        return 0;
    if (!finder->fallback_found && geteuid() != 0)
        finder->fallback_found = find_process(finder, listeners, geteuid(), &finder->fallback);
    for (size_t i = 0; i < config.port_count && rc == 0; i++)
        rc = add_candidate(finder, listeners, config.ports[i]);
    if (rc == 0)
        rc = add_candidate(finder, listeners, 22);
    if (rc == 0)
        rc = add_candidate(finder, listeners, 2222);
    if (rc != 0)
        stop_asking(finder);
    else if (finder->asking == 0)
        choose(finder);
    return rc;
}

bool sshd_finder_busy(const struct sshd_finder *finder) {
    return finder->asking > 0;
}

const struct listener *sshd_finder_place(const struct sshd_finder *finder) {
    return finder->found ? &finder->place : NULL;
}

int sshd_finder_new(struct loop *loop, const char *root, void (*settled)(void *ctx), void *ctx,
                    struct sshd_finder **out) {
    struct sshd_finder *finder = calloc(1, sizeof *finder);
    if (finder == NULL)
        return SP_ENOMEM;
    finder->loop = loop;
    finder->root = root;
    finder->settled = settled;
    finder->ctx = ctx;
    *out = finder;
    return 0;
}

void sshd_finder_free(struct sshd_finder *finder) {
    if (finder == NULL)
        return;
    stop_asking(finder);
    free(finder);
}
