/* Channels, quiet hours and messages that are under way, in the registry. */
#ifndef SALLYPORT_STORE_CHANNELS_H
#define SALLYPORT_STORE_CHANNELS_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/channel.h"
#include "sallyport/domain/notice.h"
#include "sallyport/domain/quiet.h"
#include "sallyport/store/store.h"

#define STORE_NOTICES_AN_HOUR 20 /* of one channel; of more only the number is told, when the hour is over */
#define STORE_NOTICES_LIFE_S 86400

/* out->id is set. SP_ETOOBIG: the user has CHANNELS_MAX; SP_EEXIST: he has that one; SP_ENOENT; SP_ESYS. */
int store_channel_add(struct store *store, struct channel *channel);
/* With its user's name; of messages under way the number. */
int store_channel_get(struct store *store, int64_t id, struct channel *out);
/* The user's, or everybody's for user_id 0; *out is the caller's to free, after wiping: addresses may be secrets. */
int store_channel_list(struct store *store, int64_t user_id, struct channel **out, size_t *count);
/* With its messages. 0, SP_ENOENT, SP_ESYS. */
int store_channel_remove(struct store *store, int64_t id);
/* How the last one went: trouble "" is well. `tested`: it was tried by hand. */
int store_channel_went(struct store *store, int64_t id, int64_t now, bool tested, const char *trouble);

/* A message under way. */
struct notice_row {
    int64_t id, channel_id;
    int64_t created, due; /* UTC seconds */
    int64_t tries;
    struct notice notice;
};
/* Puts a message in the channel's line, unless its hour is full (SP_EBUSY: it is counted). SP_ENOENT: no such channel. */
int store_notice_add(struct store *store, int64_t channel_id, const struct notice *notice, int64_t now);
/* Of channels whose hour is over and was full: a message that says how many more there were. */
int store_notice_more(struct store *store, int64_t now);
/* The next one of each channel, if it is due; urgent ones come first. *out is the caller's to free. */
int store_notice_due(struct store *store, int64_t now, size_t limit, struct notice_row **out, size_t *count);
/* It did not go: again at `due`. */
int store_notice_later(struct store *store, int64_t id, int64_t due, int64_t tries);
int store_notice_remove(struct store *store, int64_t id);

/* SP_ENOENT: the user has none. */
int store_quiet_get(struct store *store, int64_t user_id, struct quiet *out);
/* from == to: none from now on. */
int store_quiet_put(struct store *store, int64_t user_id, const struct quiet *quiet);

#endif
