/* The rules of claims. */
#include "sallyport/domain/claim.h"

#include <math.h>
#include <string.h>

#include "sallyport/base/str.h"

#define IDLE_SHARE 0.05

static size_t count_characters(const char *text) {
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

int claim_check(uint64_t for_s, const char *note, struct why *why) {
    if (for_s < 60 || for_s > CLAIM_LONGEST_S) {
        why_set(why, "a claim lasts a minute at least and 30 days at most, such as 8h or 2d");
        return SP_EINVAL;
    }
    if (!str_is_clean(note, strlen(note)) || count_characters(note) > CLAIM_NOTE_MAX) {
        why_set(why, "a note is one line of at most %d characters", CLAIM_NOTE_MAX);
        return SP_EINVAL;
    }
    return 0;
}

const struct claim *claim_find(const struct claim *claims, size_t count, const char *gpu_id, int64_t now) {
    for (size_t i = 0; i < count; i++) {
        if (claims[i].until > now && strcmp(claims[i].gpu_id, gpu_id) == 0)
            return &claims[i];
    }
    return NULL;
}

const struct claim *claim_find_index(const struct claim *claims, size_t count, int64_t gpu, int64_t now) {
    for (size_t i = 0; i < count; i++) {
        if (claims[i].until > now && claims[i].gpu == gpu && gpu >= 0)
            return &claims[i];
    }
    return NULL;
}

bool claim_may_release(const struct claim *claim, const struct policy_subject *who) {
    struct policy_request administer = {.action = ACTION_ADMINISTER};
    struct policy_request ask = {.action = ACTION_ASK};
    bool own = who->kind == SUBJECT_USER && who->id == claim->user_id;
    return (own && policy_allows(who, &ask)) || policy_allows(who, &administer);
}

/* Where it is now; one that is not told of keeps its place until another GPU has that. */
static int64_t index_of(const struct claim *claim, const struct status *status) {
    int64_t index = claim->gpu;
    for (size_t i = 0; i < status->gpu_count; i++) {
        if (strcmp(status->gpus[i].id, claim->gpu_id) == 0)
            return status->gpus[i].index;
        if (status->gpus[i].index == claim->gpu)
            index = STATUS_UNKNOWN;
    }
    return index;
}

bool claim_place(struct claim *claims, size_t count, const struct status *status) {
    bool changed = false;
    for (size_t i = 0; i < count; i++) {
        int64_t index = index_of(&claims[i], status);
        changed |= index != claims[i].gpu;
        claims[i].gpu = index;
    }
    return changed;
}

const char *claim_owner(const struct process *process) {
    const char *owner = process_owner(process);
    return strcmp(owner, "root") == 0 ? "" : owner;
}

/* How busy; where that cannot be measured, what lies in its memory says it. */
static double used_share(const struct gpu *gpu) {
    if (isfinite(gpu->used_share))
        return gpu->used_share;
    if (gpu->memory_shared || gpu->memory_used_bytes < 0 || gpu->memory_total_bytes <= 0)
        return 0;
    return (double)gpu->memory_used_bytes / (double)gpu->memory_total_bytes;
}

/* A screen needs a program on the GPU that holds little memory; who computes holds more by his context alone. */
enum { DESKTOP_BYTES = 256 << 20 };

bool claim_is_idle(const struct status *status, const struct gpu *gpu) {
    if (strcmp(gpu->state, "lost") == 0 || strcmp(gpu->state, "hanging") == 0 || used_share(gpu) >= IDLE_SHARE)
        return false;
    for (size_t i = 0; i < status->process_count; i++) {
        const struct process *process = &status->processes[i];
        bool desktop = process->gpu_memory_used_bytes >= 0 && process->gpu_memory_used_bytes < DESKTOP_BYTES;
        if (process_is_on(process, gpu->index) && !desktop)
            return false;
    }
    return true;
}
