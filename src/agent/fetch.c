#include "fetch.h"

#include <stdlib.h>
#include <unistd.h>

#include "question.h"
#include "sallyport/base/list.h"
#include "sallyport/base/log.h"
#include "sallyport/base/str.h"

enum { FETCHES_MAX = 64 };

struct fetches {
    struct loop *loop;
    struct visits *visits;
    struct list list;
    size_t count;
};

struct fetch {
    struct list link;
    struct fetches *fetches;
    struct question *question;
    char user[SP_NAME_SIZE], service[SP_NAME_SIZE];
};

static void fetch_free(struct fetch *fetch) {
    question_cancel(fetch->question);
    list_remove(&fetch->link);
    fetch->fetches->count--;
    free(fetch);
}

static void fetch_answered(void *ctx, int rc, int fd, const char *text) {
    struct fetch *fetch = ctx;
    fetch->question = NULL;
    if (rc == 0) {
        struct visitor visitor = {.user = fetch->user, .service = fetch->service, .from = "the relay's door"};
        visits_open(fetch->fetches->visits, &visitor, fd);
    } else {
        log_warn("cannot fetch a stream of %s from the relay's door: %s", fetch->user, text[0] ? text : err_text(rc));
    }
    fetch_free(fetch);
}

void fetch_start(struct fetches *fetches, const struct link_call *call, const struct sockaddr_storage *relay) {
    struct fetch *fetch = fetches->count < FETCHES_MAX ? calloc(1, sizeof *fetch) : NULL;
    if (!fetch) {
        log_warn("too many streams to fetch at once: one of %s is left out", call->user);
        return;
    }
    fetch->fetches = fetches;
    (void)str_copy(fetch->user, sizeof fetch->user, call->user);
    (void)str_copy(fetch->service, sizeof fetch->service, call->service);
    list_append(&fetches->list, &fetch->link);
    fetches->count++;
    struct question_config config = {.loop = fetches->loop,
                                     .to = *relay,
                                     .mode = DOOR_SERVE,
                                     .ticket = call->ticket,
                                     .done = fetch_answered,
                                     .ctx = fetch};
    int rc = question_new(&config, &fetch->question);
    if (rc < 0) {
        log_warn("cannot fetch a stream of %s from the relay's door: %s", call->user, err_text(rc));
        fetch_free(fetch);
    }
}

int fetches_new(struct loop *loop, struct visits *visits, struct fetches **out) {
    struct fetches *fetches = calloc(1, sizeof *fetches);
    if (!fetches)
        return SP_ENOMEM;
    fetches->loop = loop;
    fetches->visits = visits;
    list_init(&fetches->list);
    *out = fetches;
    return 0;
}

size_t fetches_count(const struct fetches *fetches) {
    return fetches->count;
}

void fetches_free(struct fetches *fetches) {
    if (!fetches)
        return;
    struct list *node, *tmp;
    list_foreach (node, tmp, &fetches->list)
        fetch_free(list_item(node, struct fetch, link));
    free(fetches);
}
