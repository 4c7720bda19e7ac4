/* What the client remembers of the relay that it joined: client.json in its state folder. */
#ifndef SALLYPORT_CLI_CLIENT_H
#define SALLYPORT_CLI_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/err.h"
#include "sallyport/domain/name.h"

struct client {
    char host[256];
    uint16_t port;
    char user[SP_NAME_SIZE];
    char fingerprint[51];  /* of the relay's host key: "SHA256:..." */
    char identity[1024];   /* the private key's file; "": id_ed25519 in the state folder */
    char key[44];          /* base64url of the SHA-256 of our public key's blob: who asks at the relay's door */
    char ssh_config[1024]; /* where ssh-config has written its file; "": nowhere */
};

/* SP_ENOENT: nothing was joined; SP_EFORMAT: the file is damaged; with why. */
int client_load(const char *state, struct client *out, struct why *why);
int client_save(const char *state, const struct client *client, struct why *why);
/* Removes all files of ours from the state folder. */
int client_remove(const char *state, struct why *why);

/* base64url of the SHA-256 of the key blob in a line as in a .pub file. SP_EFORMAT. `print` (may be NULL) gets the
 * fingerprint as ssh-keygen -l prints it. */
int client_key_id(const char *line, char id[static 44], char print[51]);

#endif
