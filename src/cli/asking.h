/* Questions about ways, as the relay's door takes them: sealed by a key that an answer over SSH has brought. */
#ifndef SALLYPORT_CLI_ASKING_H
#define SALLYPORT_CLI_ASKING_H

#include "cli_local.h"
#include "sallyport/wire/sealed.h"

/* A question that is under way. */
struct asking {
    uint8_t key[SEALED_KEY_SIZE]; /* a secret */
    uint8_t nonce[SEALED_NONCE_SIZE];
};

/* The key that we have; SP_ENOENT when there is none. asking_fini wipes. */
int asking_init(struct asking *asking, const struct cli *cli);
void asking_fini(struct asking *asking);
/* Appends the question with its \n. SP_ETOOBIG, SP_ENOMEM, SP_ECRYPTO. */
int asking_question(struct asking *asking, const struct cli *cli, const struct ask *ask, struct buf *out);
/* Opens what followed `ok`. SP_ECRYPTO: not by our relay, SP_EFORMAT with why. */
int asking_answer(const struct asking *asking, const char *text, size_t len, struct answer *out, struct why *why);

/* The relay does not take our key any more. */
void asking_forget(const struct cli *cli);
/* Keeps what an answer brings: the machine's host keys, and the key for the next questions. SP_EDENIED with why: the
 * machine's host keys are others than before. */
int asking_learn(const struct cli *cli, const struct answer *answer, struct why *why);

#endif
