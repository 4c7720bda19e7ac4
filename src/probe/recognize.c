#include "sallyport/probe/recognize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "recognize_table.h"
#include "sallyport/base/err.h"
#include "sallyport/base/str.h"
#include "sallyport/probe/ask.h"

#define ANSWER_MS 500
#define ASKED_AT_ONCE 16
/* After the first one; a machine's programs are not to be bothered. */
#define QUESTIONS_MAX 5
/* One that did not answer in time may be busy: asked so often, after so long, twice as long, ... */
#define SILENT_TRIES 4
#define SILENT_MS 8000

enum phase { PHASE_PAGE, PHASE_QUESTION, PHASE_VERSION, PHASE_MODELS };

/* What is known of a listening socket. */
struct verdict {
    struct listener listener;
    size_t row; /* APPLICATIONS: none, or not known */
    struct app_facts facts;
    char process[PROCESS_NAME_SIZE];
    uint64_t due; /* loop_now: asked then; 0: not again */
    uint8_t tries;
};

struct inquiry {
    struct recognizer *recognizer;
    struct ask *ask; /* NULL: this place is free */
    struct listener listener;
    enum phase phase;
    size_t row;              /* being asked */
    uint32_t hinted, others; /* rows that are still to be asked */
    unsigned questions;
    bool silent; /* one of them was not answered in time */
    struct app_facts facts;
    char request[96];
};

struct recognizer {
    struct loop *loop;
    const char *root;
    uint64_t models_ms;
    void (*changed)(void *ctx);
    void *ctx;
    struct verdict *verdicts; /* owned, sorted by port */
    size_t count;
    struct inquiry inquiries[ASKED_AT_ONCE];
    struct recognized list[RECOGNIZED_MAX];
    size_t listed;
};

static bool is_same(const struct listener *a, const struct listener *b) {
    return a->inode == b->inode && a->port == b->port;
}

static struct verdict *find_verdict(const struct recognizer *recognizer, const struct listener *listener) {
    for (size_t i = 0; i < recognizer->count; i++)
        if (is_same(&recognizer->verdicts[i].listener, listener))
            return &recognizer->verdicts[i];
    return NULL;
}

static bool recognized_equal(const struct recognized *a, const struct recognized *b) {
    return is_same(&a->listener, &b->listener) && strcmp(a->name, b->name) == 0 && strcmp(a->detail, b->detail) == 0;
}

/* Makes the list anew; true when it has become another. */
static bool list_again(struct recognizer *recognizer) {
    size_t count = 0;
    bool same = true;
    for (size_t i = 0; i < recognizer->count && count < RECOGNIZED_MAX; i++) {
        const struct verdict *verdict = &recognizer->verdicts[i];
        struct recognized now = {.listener = verdict->listener};
        if (verdict->row == APPLICATIONS)
            continue;
        (void)str_copy(now.name, sizeof now.name, verdict->facts.name);
        app_detail(&verdict->facts, verdict->process, now.detail, sizeof now.detail);
        same = same && count < recognizer->listed && recognized_equal(&recognizer->list[count], &now);
        recognizer->list[count++] = now;
    }
    same = same && count == recognizer->listed;
    recognizer->listed = count;
    return !same;
}

static void start_due(struct recognizer *recognizer);

/* The place is free again; what it was about is asked again later, or not. */
static void inquiry_end(struct inquiry *inquiry, bool known) {
    struct recognizer *recognizer = inquiry->recognizer;
    uint64_t now = loop_now(recognizer->loop);
    struct verdict *verdict = find_verdict(recognizer, &inquiry->listener);
    ask_free(inquiry->ask);
    inquiry->ask = NULL;
    if (verdict != NULL && known) {
        bool is_new = verdict->row == APPLICATIONS;
        verdict->row = inquiry->row;
        verdict->facts = inquiry->facts;
        verdict->tries = 0;
        verdict->due = app_table[inquiry->row].models == NULL ? 0 : now + recognizer->models_ms;
        if (is_new && !process_of_socket(recognizer->root, verdict->listener.inode, verdict->process))
            verdict->process[0] = '\0';
    } else if (verdict != NULL) {
        bool again = inquiry->silent && ++verdict->tries < SILENT_TRIES;
        verdict->due = again ? now + ((uint64_t)SILENT_MS << (verdict->tries - 1)) : 0;
    }
    bool other = list_again(recognizer);
    start_due(recognizer);
    if (other)
        recognizer->changed(recognizer->ctx);
}

static bool is_enough(const char *answer, size_t len) {
    return memcmp(answer, "HTTP/", len < 5 ? len : 5) != 0;
}

static void port_answered(void *ctx, const char *text, size_t len, bool timed_out);

static int inquiry_ask(struct inquiry *inquiry, enum phase phase, const char *path) {
    char host[LISTENER_HOST_SIZE];
    struct ask *answered = inquiry->ask;
    listener_host(&inquiry->listener, host);
    (void)snprintf(inquiry->request, sizeof inquiry->request, "GET %s HTTP/1.0\r\nHost: 127.0.0.1:%u\r\n\r\n", path,
                   (unsigned)inquiry->listener.port);
    struct ask_question question = {.host = host,
                                    .port = inquiry->listener.port,
                                    .request = inquiry->request,
                                    .timeout_ms = ANSWER_MS,
                                    .answer_max = RECOGNIZE_PAGE_MAX,
                                    .enough = is_enough};
    struct ask *next;
    int rc = ask_new(inquiry->recognizer->loop, &question, port_answered, inquiry, &next);
    if (rc != 0)
        return rc;
    ask_free(answered);
    inquiry->ask = next;
    inquiry->phase = phase;
    return 0;
}

/* It is known what it is: its version and models are still wanted. */
static void ask_more(struct inquiry *inquiry, enum phase done) {
    const struct application *app = &app_table[inquiry->row];
    bool has_models = app->path != NULL && app->models != NULL && strcmp(app->path, app->models) == 0;
    if (done < PHASE_VERSION && app->next != NULL && inquiry_ask(inquiry, PHASE_VERSION, app->next) == 0)
        return;
    if (done < PHASE_MODELS && app->models != NULL && !has_models &&
        inquiry_ask(inquiry, PHASE_MODELS, app->models) == 0)
        return;
    inquiry_end(inquiry, true);
}

/* The likeliest of those that are left. */
static void ask_next(struct inquiry *inquiry) {
    uint32_t *set = inquiry->hinted != 0 ? &inquiry->hinted : &inquiry->others;
    if (*set == 0 || inquiry->questions++ == QUESTIONS_MAX) {
        inquiry_end(inquiry, false);
        return;
    }
    inquiry->row = (size_t)__builtin_ctz(*set);
    *set &= *set - 1;
    if (inquiry_ask(inquiry, PHASE_QUESTION, app_table[inquiry->row].path) != 0)
        inquiry_end(inquiry, false);
}

static void take_page(struct inquiry *inquiry, const struct app_answer *page) {
    if (page == NULL) {
        inquiry_end(inquiry, false);
        return;
    }
    inquiry->row = app_of_page(page, &inquiry->facts);
    if (inquiry->row != APPLICATIONS) {
        ask_more(inquiry, PHASE_PAGE);
        return;
    }
    app_candidates(page, inquiry->listener.port, &inquiry->hinted, &inquiry->others);
    ask_next(inquiry);
}

static void take_answer(struct inquiry *inquiry, const struct app_answer *answer) {
    bool locked = false;
    if (answer != NULL && app_is(inquiry->row, answer, &inquiry->facts, &locked)) {
        ask_more(inquiry, PHASE_QUESTION);
        return;
    }
    if (locked)
        inquiry->hinted |= UINT32_C(1) << app_of_locked();
    ask_next(inquiry);
}

static void port_answered(void *ctx, const char *text, size_t len, bool timed_out) {
    struct inquiry *inquiry = ctx;
    struct app_answer read;
    const struct app_answer *answer = app_answer_read(text, len, &read) ? &read : NULL;
    inquiry->silent = inquiry->silent || (timed_out && len == 0);
    switch (inquiry->phase) {
    case PHASE_PAGE:
        take_page(inquiry, answer);
        break;
    case PHASE_QUESTION:
        take_answer(inquiry, answer);
        break;
    case PHASE_VERSION:
        if (answer != NULL)
            (void)app_read_version(answer, &inquiry->facts);
        ask_more(inquiry, PHASE_VERSION);
        break;
    case PHASE_MODELS:
        if (answer != NULL)
            (void)app_read_models(answer, &inquiry->facts);
        ask_more(inquiry, PHASE_MODELS);
        break;
    }
}

/* From the beginning, or, of what is known, for the models alone. */
static void start(struct inquiry *inquiry, struct verdict *verdict) {
    *inquiry = (struct inquiry){.recognizer = inquiry->recognizer, .listener = verdict->listener, .row = verdict->row};
    inquiry->facts = verdict->facts;
    bool known = verdict->row != APPLICATIONS;
    int rc = inquiry_ask(inquiry, known ? PHASE_MODELS : PHASE_PAGE, known ? app_table[verdict->row].models : "/");
    /* what cannot be asked now is asked in a later round */
    verdict->due = rc == 0 ? 0 : loop_now(inquiry->recognizer->loop) + SILENT_MS;
}

static void start_due(struct recognizer *recognizer) {
    uint64_t now = loop_now(recognizer->loop);
    size_t place = 0;
    for (size_t i = 0; i < recognizer->count; i++) {
        struct verdict *verdict = &recognizer->verdicts[i];
        while (place < ASKED_AT_ONCE && recognizer->inquiries[place].ask != NULL)
            place++;
        if (place == ASKED_AT_ONCE)
            return;
        if (verdict->due != 0 && verdict->due <= now)
            start(&recognizer->inquiries[place], verdict);
    }
}

int recognizer_look(struct recognizer *recognizer, const struct listeners *listeners) {
    struct verdict *verdicts = calloc(listeners->count + 1, sizeof *verdicts);
    if (verdicts == NULL)
        return SP_ENOMEM;
    for (size_t i = 0; i < listeners->count; i++) {
        const struct verdict *before = find_verdict(recognizer, &listeners->items[i]);
        if (before != NULL)
            verdicts[i] = *before;
        else
            verdicts[i] = (struct verdict){
                .listener = listeners->items[i], .row = APPLICATIONS, .due = loop_now(recognizer->loop)};
    }
    free(recognizer->verdicts);
    recognizer->verdicts = verdicts;
    recognizer->count = listeners->count;
    (void)list_again(recognizer);
    start_due(recognizer);
    return 0;
}

const struct recognized *recognizer_list(const struct recognizer *recognizer, size_t *count) {
    *count = recognizer->listed;
    return recognizer->list;
}

int recognizer_new(struct loop *loop, const char *root, uint64_t models_ms, void (*changed)(void *ctx), void *ctx,
                   struct recognizer **out) {
    struct recognizer *recognizer = calloc(1, sizeof *recognizer);
    if (recognizer == NULL)
        return SP_ENOMEM;
    recognizer->loop = loop;
    recognizer->root = root;
    recognizer->models_ms = models_ms;
    recognizer->changed = changed;
    recognizer->ctx = ctx;
    for (size_t i = 0; i < ASKED_AT_ONCE; i++)
        recognizer->inquiries[i].recognizer = recognizer;
    *out = recognizer;
    return 0;
}

void recognizer_free(struct recognizer *recognizer) {
    if (recognizer == NULL)
        return;
    for (size_t i = 0; i < ASKED_AT_ONCE; i++)
        ask_free(recognizer->inquiries[i].ask);
    free(recognizer->verdicts);
    free(recognizer);
}
