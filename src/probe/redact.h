/* A process's command line as it may be shown: without what looks like a secret, clean and short. */
#ifndef SALLYPORT_PROBE_REDACT_H
#define SALLYPORT_PROBE_REDACT_H

#include <stdbool.h>
#include <stddef.h>

/* What stands in place of a secret. */
#define REDACT_MARK "***"

/* `args` are arguments, each ended by a 0 byte (/proc/PID/cmdline); a last one that is cut off counts, too. Writes them with
 * blanks between, terminated, cut off at a character where `size` is reached. In place of REDACT_MARK there were:
 *  - what follows a name that says token, key, secret, password, auth, credential: --token X, --token=X, TOKEN=X,
 *    "token": "X", Authorization: Bearer X;
 *  - the user and password in a URL, and what follows the colon in -u NAME:X and --user NAME:X;
 *  - the value of options that hold a secret in the program that was named last: mysql -pX, sshpass -p X, 7z -pX, curl -uN:X,
 *    docker login -p X, wandb login X (the table is in redact_programs.c);
 *  - what has the form of a known kind of token (hf_..., sk-..., AKIA...), and long random text.
 * Bytes that are no clean UTF-8 become '?', blanks of all kinds ' '. It guesses, and rather hides too much. */
void redact_command(const char *args, size_t len, char *to, size_t size);

/* For the parts of it. */

/* Does an option, a variable or a member with that name hold a secret? "hf_token", "--api-key", "apiKey", but not
 * "tokenizer", "max-tokens", "key-dim" or "password-file". */
bool redact_is_secret_name(const char *name, size_t len);
/* Length of the text at the beginning of `text` that is a token by its form, or random; 0: neither. */
size_t redact_token_length(const char *text, size_t len);

#endif
