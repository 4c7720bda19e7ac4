#include "asking.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hostkeys.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/wire/door.h"

static const char file_name[] = "ask_key";
static const char question_bound[] = "sallyport ask 1";
static const char answer_bound[] = "sallyport answer 1";

enum { KEY_TEXT_MAX = 64, ANSWER_BOUND_LEN = sizeof answer_bound - 1 };

int asking_init(struct asking *asking, const struct cli *cli) {
    char path[CLI_PATH_SIZE + 16];
    struct buf text;
    size_t n = 0;
    buf_init(&text);
    int rc = os_path(path, sizeof path, cli->state, file_name);
    if (!rc && os_read_file(path, KEY_TEXT_MAX, &text))
        rc = SP_ENOENT;
    if (!rc && (base64url_decode((const char *)buf_head(&text), buf_len(&text), asking->key, SEALED_KEY_SIZE, &n) ||
                n != SEALED_KEY_SIZE))
        rc = SP_ENOENT;
    buf_wipe(&text);
    return rc;
}

void asking_fini(struct asking *asking) {
    secret_wipe(asking, sizeof *asking);
}

int asking_question(struct asking *asking, const struct cli *cli, const struct ask *ask, struct buf *out) {
    struct buf question, argument;
    buf_init(&question);
    buf_init(&argument);
    int rc = ask_format(&question, ask);
    if (!rc)
        rc = buf_printf(&argument, "%s.", cli->client.key);
    if (!rc)
        rc = sealed_make(asking->key, question_bound, sizeof question_bound - 1, buf_head(&question),
                         buf_len(&question), &argument, asking->nonce);
    const char *text = rc ? NULL : buf_string(&argument);
    if (!rc)
        rc = text ? door_line_format(out, DOOR_ASK, text) : SP_ENOMEM;
    buf_fini(&question);
    buf_fini(&argument);
    return rc;
}

int asking_answer(const struct asking *asking, const char *text, size_t len, struct answer *out, struct why *why) {
    uint8_t bound[ANSWER_BOUND_LEN + SEALED_NONCE_SIZE];
    struct buf message;
    buf_init(&message);
    memcpy(bound, answer_bound, ANSWER_BOUND_LEN);
    memcpy(bound + ANSWER_BOUND_LEN, asking->nonce, SEALED_NONCE_SIZE);
    int rc = sealed_open(asking->key, bound, sizeof bound, text, len, &message, NULL);
    if (!rc)
        rc = answer_parse((const char *)buf_head(&message), buf_len(&message), out, why);
    buf_wipe(&message);
    return rc;
}

void asking_forget(const struct cli *cli) {
    char path[CLI_PATH_SIZE + 16];
    if (os_path(path, sizeof path, cli->state, file_name) == 0)
        (void)unlink(path);
}

static int keep_key(const struct cli *cli, const char *key) {
    char path[CLI_PATH_SIZE + 16];
    int rc = os_path(path, sizeof path, cli->state, file_name);
    return rc ? rc : os_write_file(path, key, strlen(key), 0600);
}

int asking_learn(const struct cli *cli, const struct answer *answer, struct why *why) {
    struct hostkeys said = {.count = 0};
    if (answer->ask_key[0] && keep_key(cli, answer->ask_key))
        cli_debug(cli, "cannot keep the ask key in %s", cli->state);
    for (size_t i = 0; i < answer->host_key_count; i++)
        (void)hostkeys_add(&said, answer->host_keys[i]);
    return hostkeys_learn(cli->state, answer->box, &said, why);
}

int ask_relay(const struct cli *cli, const struct ask *ask, struct answer *out, struct why *why) {
    char target[2 * SP_NAME_SIZE];
    struct buf text;
    buf_init(&text);
    (void)snprintf(target, sizeof target, "%s/%s", ask->box, ask->service);
    const char *const verb[] = {"ticket", target};
    int rc = relay_verb(cli, verb, 2, &text, why);
    size_t len = buf_len(&text);
    const char *line = len ? (const char *)buf_head(&text) : "";
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        len--;
    struct answer answer;
    struct why wrong = {""};
    if (rc == SP_EDENIED && len > 0 && answer_parse(line, len, &answer, NULL) == 0 && answer.error[0])
        why_set(why, "%s", answer.error);
    if (!rc) {
        rc = answer_parse(line, len, &answer, &wrong);
        if (rc)
            why_set(why, "the relay's answer makes no sense: %s", wrong.text);
        else if (answer.error[0]) {
            why_set(why, "%s", answer.error);
            cli_reword(why->text);
            rc = SP_EDENIED;
        }
    }
    if (!rc && (strcmp(answer.box, ask->box) != 0 || strcmp(answer.service, ask->service) != 0)) {
        why_set(why, "the relay has answered something else than what was asked");
        rc = SP_EFORMAT;
    }
    if (!rc)
        rc = asking_learn(cli, &answer, why);
    if (!rc)
        *out = answer;
    secret_wipe(&answer, sizeof answer);
    buf_wipe(&text);
    return rc;
}
