/* Channels and quiet hours as the verbs and the API handle them. */
#ifndef SALLYPORT_RELAY_CHANNELS_H
#define SALLYPORT_RELAY_CHANNELS_H

#include "sallyport/domain/policy.h"
#include "sallyport/domain/quiet.h"
#include "sallyport/store/channels.h"
#include "watch.h"

/* Adds a channel after all checks; `by` is who does it. channel->id is set. SP_EINVAL, SP_EDENIED, SP_EEXIST, SP_ETOOBIG
 * with why; SP_ESYS. */
int channels_add(struct store *store, const struct watch *watch, const struct policy_subject *by,
                 struct channel *channel, struct why *why);
/* One that this one may see: his own, admins any. Its address is to be wiped. SP_ENOENT, SP_ESYS. */
int channels_find(struct store *store, const struct policy_subject *who, int64_t id, struct channel *out);
/* What may be shown of it: a new jansson object (the caller's), or NULL. */
struct json_t *channels_json_one(const struct channel *channel);
/* His own; admins': all. A new jansson array (the caller's), or NULL. */
struct json_t *channels_json(struct store *store, const struct policy_subject *who);
/* {"from","to","offset"}, {} when there are none; NULL: failed. */
struct json_t *channels_quiet_json(struct store *store, int64_t user_id);

#endif
