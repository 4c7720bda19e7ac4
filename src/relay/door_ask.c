/* Sealed questions at the door (docs/PROTOCOL.md section 7, "Asking"). */
#include <string.h>

#include "door_local.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/fingerprint.h"

static const char ask_bound[] = "sallyport ask 1";
static const char answer_bound[] = "sallyport answer 1";

/* Who asks, by his key. */
struct questioner {
    struct key_owner owner;
    struct policy_subject subject;
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    uint8_t key[SEALED_KEY_SIZE];
};

static int find_questioner(struct relay *relay, const char *text, size_t len, struct questioner *out) {
    uint8_t print[FINGERPRINT_SIZE];
    size_t n;
    if (base64url_decode(text, len, print, sizeof print, &n) < 0 || n != sizeof print)
        return SP_EFORMAT;
    fingerprint_text(print, out->fingerprint);
    if (store_key_find(relay->store, out->fingerprint, &out->owner) < 0 || out->owner.kind != KEY_OWNER_USER ||
        out->owner.disabled)
        return SP_EDENIED;
    int rc = store_user_subject(relay->store, out->owner.id, &out->subject);
    return rc < 0 ? rc : tickets_ask_key(relay->tickets, out->owner.id, out->fingerprint, out->key);
}

/* A question that was heard on the way and is said again is not answered: it would fill the audit. */
static bool is_repeated(struct door *door, const uint8_t nonce[static SEALED_NONCE_SIZE]) {
    for (size_t i = 0; i < NONCES; i++) {
        if (memcmp(door->nonces[i], nonce, SEALED_NONCE_SIZE) == 0)
            return true;
    }
    memcpy(door->nonces[door->nonce_next], nonce, SEALED_NONCE_SIZE);
    door->nonce_next = (door->nonce_next + 1) % NONCES;
    return false;
}

static int open_question(struct door *door, const struct questioner *who, const char *sealed, struct ask *ask,
                         uint8_t nonce[static SEALED_NONCE_SIZE]) {
    struct buf text;
    struct why why;
    buf_init(&text);
    int rc = sealed_open(who->key, ask_bound, sizeof ask_bound - 1, sealed, strlen(sealed), &text, nonce);
    if (rc == 0 && is_repeated(door, nonce))
        rc = SP_EEXIST;
    if (rc == 0)
        rc = ask_parse((const char *)buf_head(&text), buf_len(&text), ask, &why);
    buf_wipe(&text);
    return rc;
}

/* Answers, bound to the question. */
static int seal_answer(const struct questioner *who, const struct answer *answer,
                       const uint8_t nonce[static SEALED_NONCE_SIZE], struct buf *out) {
    uint8_t bound[sizeof answer_bound - 1 + SEALED_NONCE_SIZE];
    struct buf text;
    buf_init(&text);
    memcpy(bound, answer_bound, sizeof answer_bound - 1);
    memcpy(bound + sizeof answer_bound - 1, nonce, SEALED_NONCE_SIZE);
    int rc = answer_format(&text, answer);
    if (rc == 0)
        rc = sealed_make(who->key, bound, sizeof bound, buf_head(&text), buf_len(&text), out, NULL);
    buf_wipe(&text);
    return rc;
}

static void answer_question(struct caller *caller, const struct questioner *who, const char *sealed) {
    struct relay *relay = caller->door->relay;
    struct asker asker = {
        .name = who->owner.name, .subject = &who->subject, .fingerprint = NULL, .address = caller->text};
    uint8_t nonce[SEALED_NONCE_SIZE];
    struct ask ask;
    struct answer answer;
    struct buf out;
    if (open_question(caller->door, who, sealed, &ask, nonce) < 0) {
        caller_drop(caller);
        return;
    }
    buf_init(&out);
    ask_answer(relay, &asker, &ask, &answer);
    int rc = seal_answer(who, &answer, nonce, &out);
    const char *text = rc == 0 ? buf_string(&out) : NULL;
    if (text)
        caller_say(caller, true, text, false);
    else
        caller_drop(caller);
    buf_wipe(&out);
    secret_wipe(&answer, sizeof answer);
}

void door_ask(struct caller *caller, const char *argument) {
    const char *dot = strchr(argument, '.');
    struct questioner who = {.fingerprint = ""};
    int rc = dot ? find_questioner(caller->door->relay, argument, (size_t)(dot - argument), &who) : SP_EFORMAT;
    if (rc == SP_EFORMAT)
        caller_drop(caller);
    else if (rc < 0)
        caller_say(caller, false, "this key may not ask here: ask over SSH", true);
    else
        answer_question(caller, &who, dot + 1);
    policy_subject_fini(&who.subject);
    secret_wipe(&who, sizeof who);
}
