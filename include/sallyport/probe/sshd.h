/* Finds the machine's SSH server: where it listens, and its host keys. */
#ifndef SALLYPORT_PROBE_SSHD_H
#define SALLYPORT_PROBE_SSHD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/loop.h"
#include "sallyport/probe/listeners.h"

/* What /etc/ssh/sshd_config says, with what it includes; both lists are empty when it says nothing. */
#define SSHD_PORTS_MAX 16
#define SSHD_KEYS_MAX 8
struct sshd_config {
    uint16_t ports[SSHD_PORTS_MAX];
    size_t port_count;
    char host_keys[SSHD_KEYS_MAX][256]; /* paths of private keys */
    size_t host_key_count;
};

/* Public host keys, "ssh-ed25519 AAAA...", without comments. */
struct sshd_keys {
    char text[SSHD_KEYS_MAX][1024];
    size_t count;
};

/* Reads the configuration; files that cannot be read count as empty. */
void sshd_config_read(const char *root, struct sshd_config *out);
/* The public keys of the system's sshd: those that sshd_config names, else /etc/ssh/ssh_host_*_key.pub. None is no
 * error. They are no secret, every user may read them. */
void sshd_keys_read(const char *root, struct sshd_keys *out);

/* Is it root's own, on a port of sshd_config (22 when that names none), so that /etc/ssh has its host keys? */
bool sshd_is_system(const char *root, const struct listener *listener);

/* The search. In order: root's listening sshd or dropbear, seen through /proc (needs root), on a port of sshd_config or
 * 22; a port of sshd_config on which root listens; a port of sshd_config, 22 or 2222 that greets with `SSH-` (socket
 * activation, and all of this for an ordinary user); an sshd on another port, root's or our own user's. What was found
 * stays until its socket is gone. */
struct sshd_finder;

/* `settled` is called from the loop when a search that had to ask ports is over. 0 or SP_ENOMEM. */
int sshd_finder_new(struct loop *loop, const char *root, void (*settled)(void *ctx), void *ctx,
                    struct sshd_finder **out);
void sshd_finder_free(struct sshd_finder *finder);

/* A round, to be called every few seconds with the listeners of now: searches if they have `changed`, or if a port did
 * not answer in time. 0 or SP_ENOMEM. */
int sshd_finder_look(struct sshd_finder *finder, const struct listeners *listeners, bool changed);
/* Are questions under way, so that `settled` will be called? */
bool sshd_finder_busy(const struct sshd_finder *finder);
/* What was found, valid until the next look or `settled`; NULL when nothing. */
const struct listener *sshd_finder_place(const struct sshd_finder *finder);

#endif
