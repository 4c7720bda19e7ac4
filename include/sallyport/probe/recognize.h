/* Recognises the applications that listen on this machine (TensorBoard, Ollama, vLLM, ...), by asking them. */
#ifndef SALLYPORT_PROBE_RECOGNIZE_H
#define SALLYPORT_PROBE_RECOGNIZE_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/loop.h"
#include "sallyport/domain/name.h"
#include "sallyport/probe/listeners.h"

/* More applications than that are not told. */
#define RECOGNIZED_MAX 64

struct recognized {
    struct listener listener;
    char name[SP_NAME_SIZE]; /* how such a service is called: "tensorboard", "vllm" */
    char detail[128];        /* for people: "vLLM 0.6.1 (docker-proxy): meta-llama/Llama-3-8B" */
};

/* The search. A port gets a few requests, all GET, one after the other, 500 ms each: `/`, then what its answer makes
 * likely. It is asked again when its socket is another one, a silent one a few times, and a server of models for these
 * now and then. 16 ports at once; answers are cut off at 64 KiB. */
struct recognizer;

/* `models_ms` is how often servers of models are asked for these. `changed` is called from the loop, never from inside recognizer_look, when the list has become another. `root` must
 * outlive the search. 0 or SP_ENOMEM. */
int recognizer_new(struct loop *loop, const char *root, uint64_t models_ms, void (*changed)(void *ctx), void *ctx,
                   struct recognizer **out);
/* NULL is allowed. */
void recognizer_free(struct recognizer *recognizer);

/* A round, to be called every few seconds: just these sockets count from now on, no two of one port. They should speak
 * HTTP. 0 or SP_ENOMEM: then all is as it was. */
int recognizer_look(struct recognizer *recognizer, const struct listeners *listeners);
/* Those recognised, sorted by port; valid until the next look or `changed`. */
const struct recognized *recognizer_list(const struct recognizer *recognizer, size_t *count);

#endif
