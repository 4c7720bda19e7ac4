/* What is kept of hops: the codes that are under way, and what those who arrived were given. */
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "web_conn.h"

enum { TOKENS_MAX = 64 };

struct entry {
    uint8_t code_hash[DIGEST_SIZE];
    uint64_t due; /* loop_now; 0: not in use */
    struct web_hop hop;
};

/* What a browser was given for a service a moment ago. */
struct token {
    uint64_t due;
    struct web_hop hop;
    char text[SECRET_TOKEN_LEN + 1];
};

struct web_hops {
    struct loop *loop;
    unsigned life_ms;
    struct entry list[WEB_HOPS_MAX];
    struct token tokens[TOKENS_MAX];
};

int web_hops_new(struct loop *loop, unsigned life_ms, struct web_hops **out) {
    struct web_hops *hops = calloc(1, sizeof(*hops));
    if (!hops)
        return SP_ENOMEM;
    hops->loop = loop;
    hops->life_ms = life_ms;
    *out = hops;
    return 0;
}

void web_hops_free(struct web_hops *hops) {
    if (hops)
        secret_wipe(hops, sizeof(*hops));
    free(hops);
}

/* Where a new code of this session goes: a free place, else that of the oldest. Whoever asks for many uses up his own. */
static struct entry *place_for(struct web_hops *hops, int64_t session_id) {
    struct entry *oldest = &hops->list[0], *own = NULL;
    size_t count = 0;
    for (size_t i = 0; i < WEB_HOPS_MAX; i++) {
        struct entry *entry = &hops->list[i];
        if (entry->due < oldest->due)
            oldest = entry;
        if (entry->due <= loop_now(hops->loop) || entry->hop.session_id != session_id)
            continue;
        count++;
        if (!own || entry->due < own->due)
            own = entry;
    }
    return count < WEB_HOPS_EACH ? oldest : own;
}

int web_hop_make(struct web_hops *hops, int64_t session_id, int64_t machine_id, const char *service,
                 char code[static SECRET_TOKEN_LEN + 1]) {
    struct entry entry = {.due = loop_now(hops->loop) + hops->life_ms,
                          .hop = {.session_id = session_id, .machine_id = machine_id}};
    int rc = str_copy(entry.hop.service, sizeof(entry.hop.service), service);
    if (!rc)
        rc = secret_token(code);
    if (!rc)
        rc = digest_sha256(code, SECRET_TOKEN_LEN, entry.code_hash);
    if (rc)
        return rc;
    *place_for(hops, session_id) = entry;
    return 0;
}

int web_hop_redeem(struct web_hops *hops, const char *code, struct web_hop *out) {
    uint8_t hash[DIGEST_SIZE];
    if (!secret_is_token(code) || digest_sha256(code, SECRET_TOKEN_LEN, hash))
        return SP_ENOENT;
    for (size_t i = 0; i < WEB_HOPS_MAX; i++) {
        struct entry entry = hops->list[i];
        if (!entry.due || !secret_equal(entry.code_hash, hash, sizeof(hash)))
            continue;
        hops->list[i] = (struct entry){.due = 0};
        if (entry.due <= loop_now(hops->loop))
            return SP_EEXPIRED;
        *out = entry.hop;
        return 0;
    }
    return SP_ENOENT;
}

static bool is_same(const struct web_hop *a, const struct web_hop *b) {
    return a->session_id == b->session_id && a->machine_id == b->machine_id && strcmp(a->service, b->service) == 0;
}

void web_hop_remember(struct web_hops *hops, const struct web_hop *hop, const char *token) {
    struct token *place = &hops->tokens[0];
    for (size_t i = 0; i < TOKENS_MAX; i++) {
        struct token *it = &hops->tokens[i];
        if (it->due <= loop_now(hops->loop))
            secret_wipe(it, sizeof(*it));
        if (is_same(&it->hop, hop)) {
            place = it;
            break;
        }
        if (it->due < place->due)
            place = it;
    }
    *place = (struct token){.due = loop_now(hops->loop) + hops->life_ms, .hop = *hop};
    memcpy(place->text, token, SECRET_TOKEN_LEN);
}

int web_hop_recall(struct web_hops *hops, const struct web_hop *hop, char token[static SECRET_TOKEN_LEN + 1]) {
    for (size_t i = 0; i < TOKENS_MAX; i++) {
        const struct token *it = &hops->tokens[i];
        if (it->due > loop_now(hops->loop) && is_same(&it->hop, hop)) {
            memcpy(token, it->text, sizeof(it->text));
            return 0;
        }
    }
    return SP_ENOENT;
}
