/* What the files of the alerts share: an item of the state, and a look at the machine. */
#ifndef SALLYPORT_DOMAIN_ALERT_LOCAL_H
#define SALLYPORT_DOMAIN_ALERT_LOCAL_H

#include "sallyport/domain/alert.h"

struct alert_item {
    struct alert alert;
    bool on;
    int64_t bad_since, good_since; /* UTC seconds; 0: it is not */
    int64_t seen;                  /* when its object was told of last */
    int64_t counted;               /* errors that are known already; STATUS_UNKNOWN: none were told yet */
};

enum alert_level {
    LEVEL_UNKNOWN, /* it was not told: nothing changes */
    LEVEL_GOOD,
    LEVEL_BETWEEN, /* not bad enough to begin, not good enough to end */
    LEVEL_BAD,
};

struct alert_look {
    struct alert_state *state;
    const struct alert_view *view;
};

/* Something that was looked at. Borrows. */
struct alert_sight {
    enum alert_kind kind;
    const char *key, *object;
    enum alert_level level;
    const char *who, *other; /* may be NULL */
    const char *text;        /* when it is bad */
    const char *over;        /* when it is over */
};

/* A level by a threshold: bad from `limit` on, good below `good`; NAN is unknown. */
enum alert_level alert_level_of(double value, double limit, double good);

/* alert.c: notes what was seen, and turns what is due. */
void alert_see(struct alert_look *look, const struct alert_sight *sight);
/* The same for a counter of errors: bad when it has grown since the last look. */
void alert_see_count(struct alert_look *look, const struct alert_sight *sight, int64_t count);
/* It happened, and is over already. */
void alert_tell_event(struct alert_look *look, const struct alert *alert);
/* Ends what was not told of for long. Statuses: of the kinds that are found in them, else of the others. */
void alert_forget(struct alert_look *look, bool statuses);

/* alert_rules.c: how long a kind must be bad until it turns on; from the settings or from its rule. */
int64_t alert_on_after_s(const struct alert_settings *settings, enum alert_kind kind);
int64_t alert_off_after_s(enum alert_kind kind);
/* An object that is not told of for so long has no alert any more. */
int64_t alert_gone_after_s(enum alert_kind kind);
bool alert_is_of_status(enum alert_kind kind);
/* What is said when its object is not told of any more. */
void alert_gone_text(const struct alert *alert, char to[static ALERT_TEXT_SIZE]);

#endif
