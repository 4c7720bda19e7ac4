/* Sends the messages that are under way, each channel's one after the other, and tries again what did not go. */
#ifndef SALLYPORT_RELAY_NOTIFY_H
#define SALLYPORT_RELAY_NOTIFY_H

#include "sallyport/domain/channel.h"
#include "watch.h"

struct notify;

/* 0, SP_ENOMEM, SP_ESYS, SP_EINVAL with why. NULL is allowed in notify_free. */
int notify_new(const struct watch_config *config, struct notify **out, struct why *why);
void notify_free(struct notify *notify);
/* Something may be due: looks soon. */
void notify_wake(struct notify *notify);
/* As watch_check_channel and watch_test_channel. */
int notify_check(const struct notify *notify, enum channel_kind kind, struct why *why);
int notify_test(struct notify *notify, int64_t channel_id, struct why *why);
/* Wipes and frees what store_channel_list gave. */
void notify_free_channels(struct channel *channels, size_t count);

#endif
