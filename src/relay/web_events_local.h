/* What the files of the live events share: shared texts, what each user was shown, and who listens. */
#ifndef SALLYPORT_RELAY_WEB_EVENTS_LOCAL_H
#define SALLYPORT_RELAY_WEB_EVENTS_LOCAL_H

#include "sallyport/base/list.h"
#include "web_local.h"

/* Bytes that many hold at once: 200 browsers that are told the same have one copy. Never changed. */
struct text {
    unsigned refs;
    size_t len;
    char bytes[];
};

/* A machine as one user was shown it last. */
struct shown {
    char name[SP_NAME_SIZE];
    struct text *json; /* a reference */
};

struct web_events {
    struct web *web;
    struct list groups; /* of struct group */
    size_t listeners;
    struct text *beat, *bye;
    struct loop_timer look_timer, beat_timer;
    struct loop_task check_task;
};

/* The listeners of one user: what he sees is worked out once for all of them. */
struct group {
    struct list link;
    struct list listeners;
    size_t listener_count;
    struct policy_subject viewer;
    struct shown *shown; /* owned, by name */
    size_t shown_count;
    struct text *whole; /* `shown` as one event, a reference; NULL: to be made when somebody needs it */
};

/* It is sent one message after the other. While one is only half sent nothing else is kept for it: after that one it
 * gets everything anew, so a slow reader costs no memory. */
struct web_listener {
    struct list link;
    struct web_events *events;
    struct group *group;
    struct http_conn *http;
    int64_t session_id, token_id;
    struct text *now; /* being sent, a reference; NULL: nothing is */
    size_t at;        /* of it */
    bool behind;      /* something was left out since */
    bool over;        /* its connection is ending */
};

/* web_events.c */
void listener_send(struct web_listener *listener, struct text *message);

/* web_events_group.c. A text holds a copy; made with one reference. NULL: out of memory; text_drop takes NULL. */
struct text *text_new(const void *bytes, size_t n);
struct text *text_keep(struct text *text);
void text_drop(struct text *text);
/* Looks at all machines, and tells the listeners of `only` (NULL: of every group) what has changed for them. 0,
 * SP_ENOMEM, SP_ESYS: then the next look makes up for it. */
int events_look(struct web_events *events, struct group *only);
/* Everything that the group was shown, as one event; borrowed. NULL: out of memory. */
struct text *group_whole(struct group *group);
/* Forgets what was shown. */
void group_forget(struct group *group);

#endif
