/* The applications that are recognised: what each is asked, and how its answers read. */
#ifndef SALLYPORT_PROBE_RECOGNIZE_TABLE_H
#define SALLYPORT_PROBE_RECOGNIZE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/name.h"

/* More of the answer to `GET /` is not read: pages have what tells in their head. */
#define RECOGNIZE_PAGE_MAX (64 * 1024)

/* What an application said of itself. All texts are clean. */
struct app_facts {
    char name[SP_NAME_SIZE]; /* as a service is called */
    char title[48];          /* as people call it */
    char version[32];        /* "" when not known */
    char place[96];          /* of files that it shows; "" when it did not say */
    char models[112];        /* those that are loaded, with commas; "" for none */
};

/* An answer, taken apart. */
struct app_answer {
    unsigned status;
    const char *head, *body; /* not terminated */
    size_t head_len, body_len;
};

struct application {
    const char *name, *title;
    const char *hints[2]; /* found in the answer to `GET /` when it may be this one; NULL: none */
    uint16_t ports[3];    /* where it usually listens: asked there without a hint, too */
    bool anywhere;        /* asked on every port that speaks HTTP */
    const char *path;     /* of the question that tells; NULL: the answer to `GET /` does */
    const char *next;     /* of the question for the version; NULL: none is needed */
    const char *models;   /* of the one for the models; NULL: it has none */
    bool (*is)(const struct app_answer *answer, struct app_facts *facts); /* keeps what it learns */
};

#define APPLICATIONS 11
extern const struct application app_table[APPLICATIONS];

/* False when it is no HTTP, or its head is not whole. `out` points into `text`. */
bool app_answer_read(const char *text, size_t len, struct app_answer *out);
/* Is this the application that is known by the answer to `GET /` alone? Its row; APPLICATIONS when it is none. */
size_t app_of_page(const struct app_answer *page, struct app_facts *facts);
/* Rows to be asked on a port whose answer to `GET /` was this, as bits: first those with a hint, then the others. */
void app_candidates(const struct app_answer *page, uint16_t port, uint32_t *hinted, uint32_t *others);
/* Is it that application, by the answer to its `path`? *locked: it wants a key for this, another question may tell. */
bool app_is(size_t row, const struct app_answer *answer, struct app_facts *facts, bool *locked);
/* The row to be asked when a server for models wants a key. */
size_t app_of_locked(void);
/* The answer to `next`, and to `models`; what cannot be read changes nothing. False then. */
bool app_read_version(const struct app_answer *answer, struct app_facts *facts);
bool app_read_models(const struct app_answer *answer, struct app_facts *facts);

/* "vLLM 0.6.1 (docker-proxy), 2 models: a, b"; `process` may be "". */
void app_detail(const struct app_facts *facts, const char *process, char *to, size_t size);

#endif
