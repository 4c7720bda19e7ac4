/* Channels: where a user's messages go. */
#ifndef SALLYPORT_DOMAIN_CHANNEL_H
#define SALLYPORT_DOMAIN_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/base/err.h"
#include "sallyport/domain/name.h"

enum channel_kind { CHANNEL_NTFY, CHANNEL_WEBHOOK, CHANNEL_MAIL };

#define CHANNEL_ADDRESS_SIZE 512
#define CHANNEL_SHORT_SIZE 96
#define CHANNEL_TROUBLE_SIZE 200
#define CHANNELS_MAX 8 /* of one user */

struct channel {
    int64_t id, user_id;
    char user[SP_NAME_SIZE];
    enum channel_kind kind;
    char address[CHANNEL_ADDRESS_SIZE]; /* a URL, which may be a secret in itself; of mail an address */
    bool is_private;                    /* it may lead to private addresses, and go without TLS */
    int64_t created, sent, tested;      /* UTC seconds; sent: the last time that one arrived; tested: tried by hand */
    bool test_ok;
    char trouble[CHANNEL_TROUBLE_SIZE]; /* why the last one did not arrive; "" when it did */
    int64_t waiting;                    /* messages that are under way */
};

/* "ntfy", "webhook", "mail". */
const char *channel_kind_name(enum channel_kind kind);
int channel_kind_parse(const char *text, enum channel_kind *out); /* SP_EINVAL */
/* Is that an address that such a channel can have? https:// only, no user and password, no address in figures that is
 * not public; with `is_private` http:// and any address. 0, or SP_EINVAL, SP_EDENIED with why, which quotes nothing. Pure. */
int channel_check(enum channel_kind kind, const char *address, bool is_private, struct why *why);
/* What of the address may be shown: the host, and the beginning of what follows. */
void channel_short(const struct channel *channel, char to[static CHANNEL_SHORT_SIZE]);

#endif
