#include "containers.h"

#include <ctype.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_answer.h"
#include "sallyport/base/err.h"
#include "sallyport/base/str.h"
#include "sallyport/probe/ask.h"

#define ANSWER_MS 2000
/* All that is to say of a container: mounts, labels, environment. */
#define ANSWER_MAX (256 * 1024)
#define AGAIN_MS (10 * 60 * 1000U)
#define FAILED_MS (60 * 1000U)
/* Those that were wanted last are known. */
#define KNOWN_MAX 64

struct container {
    char id[CONTAINER_ID_SIZE];
    char name[CONTAINER_NAME_SIZE]; /* "": not known */
    uint64_t ask_at, wanted_at;
};

struct containers {
    struct loop *loop;
    char *socket_path;
    struct container items[KNOWN_MAX];
    size_t count;
    struct ask *ask;               /* NULL: none is under way */
    char asked[CONTAINER_ID_SIZE]; /* about whom */
    char request[160];
};

static bool is_name(const char *name) {
    if (!isalnum((unsigned char)name[0]))
        return false;
    for (; *name != '\0'; name++)
        if (!isalnum((unsigned char)*name) && strchr("_.-", *name) == NULL)
            return false;
    return true;
}

int containers_parse(const char *answer, size_t len, const char *id, char to[static CONTAINER_NAME_SIZE]) {
    const char *body;
    int rc = SP_EFORMAT;
    if (http_answer_status(answer, len, &body) != 200)
        return rc;
    json_t *object = json_loadb(body, len - (size_t)(body - answer), 0, NULL);
    const char *name = json_string_value(json_object_get(object, "Name"));
    const char *whose = json_string_value(json_object_get(object, "Id"));
    if (name != NULL && name[0] == '/') /* Docker's way */
        name++;
    if (whose != NULL && strcmp(whose, id) == 0 && name != NULL && is_name(name))
        rc = str_copy(to, CONTAINER_NAME_SIZE, name) == 0 ? 0 : SP_EFORMAT;
    json_decref(object);
    return rc;
}

static struct container *find(struct containers *containers, const char *id) {
    for (size_t i = 0; i < containers->count; i++)
        if (strcmp(containers->items[i].id, id) == 0)
            return &containers->items[i];
    return NULL;
}

static void ask_next(struct containers *containers);

static void daemon_answered(void *ctx, const char *answer, size_t len, bool timed_out) {
    struct containers *containers = ctx;
    struct container *container = find(containers, containers->asked);
    char name[CONTAINER_NAME_SIZE] = "";
    int rc = timed_out ? SP_ETIMEOUT : containers_parse(answer, len, containers->asked, name);
    ask_free(containers->ask);
    containers->ask = NULL;
    if (container != NULL && rc == 0) {
        memcpy(container->name, name, sizeof name);
        container->ask_at = loop_now(containers->loop) + AGAIN_MS;
    }
    ask_next(containers);
}

/* Asks about one whose time has come. What cannot be asked now is asked after a while. */
static void ask_next(struct containers *containers) {
    uint64_t now = loop_now(containers->loop);
    struct container *due = NULL;
    for (size_t i = 0; i < containers->count && due == NULL; i++)
        if (now >= containers->items[i].ask_at)
            due = &containers->items[i];
    if (containers->ask != NULL || due == NULL)
        return;
    due->ask_at = now + FAILED_MS;
    memcpy(containers->asked, due->id, sizeof containers->asked);
    (void)snprintf(containers->request, sizeof containers->request,
                   "GET /containers/%s/json HTTP/1.0\r\nHost: localhost\r\n\r\n", due->id);
    struct ask_question question = {.socket_path = containers->socket_path,
                                    .request = containers->request,
                                    .timeout_ms = ANSWER_MS,
                                    .answer_max = ANSWER_MAX};
    if (ask_new(containers->loop, &question, daemon_answered, containers, &containers->ask) != 0)
        containers->ask = NULL;
}

/* In the place of the one that was not wanted for longest when there is no room. */
static struct container *add(struct containers *containers, const char *id) {
    struct container *place = &containers->items[0];
    if (containers->count < KNOWN_MAX)
        place = &containers->items[containers->count++];
    else
        for (size_t i = 1; i < containers->count; i++)
            if (containers->items[i].wanted_at < place->wanted_at)
                place = &containers->items[i];
    *place = (struct container){.ask_at = 0};
    (void)str_copy(place->id, sizeof place->id, id);
    return place;
}

const char *containers_name(struct containers *containers, const char *id) {
    struct container *container = find(containers, id);
    if (container == NULL)
        container = add(containers, id);
    container->wanted_at = loop_now(containers->loop);
    ask_next(containers);
    return container->name[0] != '\0' ? container->name : NULL;
}

int containers_new(struct loop *loop, const char *socket_path, struct containers **out) {
    struct containers *containers = calloc(1, sizeof *containers);
    if (containers == NULL)
        return SP_ENOMEM;
    containers->loop = loop;
    containers->socket_path = strdup(socket_path);
    if (containers->socket_path == NULL) {
        free(containers);
        return SP_ENOMEM;
    }
    *out = containers;
    return 0;
}

void containers_free(struct containers *containers) {
    if (containers == NULL)
        return;
    ask_free(containers->ask);
    free(containers->socket_path);
    free(containers);
}
