/* Live events: who listens, what each is sent, and when it ends. */
#include <stdlib.h>

#include "sallyport/base/log.h"
#include "sallyport/store/tokens.h"
#include "sallyport/store/users.h"
#include "sallyport/wire/http_conn.h"
#include "web_events_local.h"

enum {
    TOGETHER_MS = 250, /* changes within so long are told together */
    AGAIN_MS = 1000,   /* after a look that failed */
    BEAT_MS = 15000,   /* a comment, so that a browser notices a connection that is dead */
    USER_MAX = 64,     /* listeners of one user ... */
    ALL_MAX = 1024,    /* ... and of all */
};
#define BEAT ":\n\n"
#define BYE "event: bye\ndata: {}\n\n"
#define HEAD \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n"

static void timer_start(struct loop_timer *timer, uint64_t ms) {
    if (loop_timer_set(timer, ms))
        log_error("web: no timer for live events: out of memory");
}

static void events_look_timer(void *ctx) {
    struct web_events *events = ctx;
    int rc = events_look(events, NULL);
    if (rc) {
        log_error("web: the machines could not be looked at: %s", err_text(rc));
        timer_start(&events->look_timer, AGAIN_MS);
    }
}

void web_events_touch(struct web_events *events) {
    if (!list_is_empty(&events->groups) && !loop_timer_is_set(&events->look_timer))
        timer_start(&events->look_timer, TOGETHER_MS);
}

/* Goes on with what is being sent, and begins with everything anew when something was left out. */
static void listener_pump(struct web_listener *listener) {
    while (!listener->over) {
        if (!listener->now) {
            struct text *whole = listener->behind ? group_whole(listener->group) : NULL;
            if (!whole)
                return;
            listener->now = text_keep(whole);
            listener->at = 0;
            listener->behind = false;
        }
        const struct text *text = listener->now;
        ssize_t taken =
            http_conn_send(listener->http, (const uint8_t *)text->bytes + listener->at, text->len - listener->at);
        listener->over = taken < 0;
        listener->at += taken > 0 ? (size_t)taken : 0;
        if (!listener->over && listener->at < text->len)
            return;
        text_drop(listener->now);
        listener->now = NULL;
    }
}

void listener_send(struct web_listener *listener, struct text *message) {
    if (listener->now || listener->behind) {
        listener->behind = true;
    } else {
        listener->now = text_keep(message);
        listener->at = 0;
    }
    listener_pump(listener);
}

void web_listener_writable(struct web_listener *listener) {
    listener_pump(listener);
}

/* Its right is over. One in the middle of a message cannot be told. */
static void listener_end(struct web_listener *listener) {
    if (!listener->over && !listener->now) {
        listener->behind = false;
        listener_send(listener, listener->events->bye);
    }
    listener->over = true;
    http_conn_close(listener->http);
}

static bool has_token(const struct web_events *events, int64_t user_id, int64_t token_id) {
    struct api_token *tokens;
    size_t count;
    if (store_token_list(events->web->source.store, user_id, &tokens, &count))
        return true; /* the disk, not the token */
    bool found = false;
    for (size_t i = 0; i < count; i++)
        found = found || tokens[i].id == token_id;
    free(tokens);
    return found;
}

static bool listener_is_good(const struct web_listener *listener) {
    const struct web *web = listener->events->web;
    struct session session;
    if (!listener->session_id)
        return has_token(listener->events, listener->group->viewer.id, listener->token_id);
    int rc = store_session_get(web->source.store, listener->session_id, web->now(), WEB_SESSION_IDLE_S, &session);
    return rc == 0 || rc == SP_ESYS;
}

static void group_check(struct web_events *events, struct group *group) {
    struct policy_subject viewer;
    struct list *node, *tmp;
    int rc = store_user_subject(events->web->source.store, group->viewer.id, &viewer);
    if (!rc) {
        policy_subject_fini(&group->viewer);
        group->viewer = viewer;
    }
    bool gone = rc == SP_ENOENT || group->viewer.disabled;
    list_foreach (node, tmp, &group->listeners) {
        struct web_listener *listener = list_item(node, struct web_listener, link);
        if (gone || !listener_is_good(listener))
            listener_end(listener);
    }
}

static void events_check_task(void *ctx) {
    struct web_events *events = ctx;
    struct list *node, *tmp;
    list_foreach (node, tmp, &events->groups)
        group_check(events, list_item(node, struct group, link));
    if (!list_is_empty(&events->groups))
        events_look_timer(events);
}

void web_events_check(struct web_events *events) {
    loop_task_post(&events->check_task);
}

/* Sessions end by age, too, and nobody says so. */
static void events_beat_timer(void *ctx) {
    struct web_events *events = ctx;
    struct list *node, *tmp, *inner, *inner_tmp;
    timer_start(&events->beat_timer, BEAT_MS);
    list_foreach (node, tmp, &events->groups) {
        struct group *group = list_item(node, struct group, link);
        list_foreach (inner, inner_tmp, &group->listeners) {
            struct web_listener *listener = list_item(inner, struct web_listener, link);
            if (!listener->now)
                listener_send(listener, events->beat);
        }
    }
    web_events_check(events);
}

int web_events_new(struct web *web, struct web_events **out) {
    struct web_events *events = calloc(1, sizeof(*events));
    if (!events)
        return SP_ENOMEM;
    events->web = web;
    list_init(&events->groups);
    loop_timer_init(web->loop, &events->look_timer, events_look_timer, events);
    loop_timer_init(web->loop, &events->beat_timer, events_beat_timer, events);
    loop_task_init(web->loop, &events->check_task, events_check_task, events);
    events->beat = text_new(BEAT, sizeof(BEAT) - 1);
    events->bye = text_new(BYE, sizeof(BYE) - 1);
    if (!events->beat || !events->bye) {
        web_events_free(events);
        return SP_ENOMEM;
    }
    *out = events;
    return 0;
}

static void group_free(struct group *group) {
    list_remove(&group->link);
    group_forget(group);
    policy_subject_fini(&group->viewer);
    free(group);
}

/* With the last group nothing is left to be done. */
static void group_leave(struct web_events *events, struct group *group) {
    if (group->listener_count)
        return;
    group_free(group);
    if (list_is_empty(&events->groups)) {
        loop_timer_stop(&events->look_timer);
        loop_timer_stop(&events->beat_timer);
    }
}

void web_listener_leave(struct web_listener *listener) {
    if (!listener)
        return;
    struct group *group = listener->group;
    list_remove(&listener->link);
    group->listener_count--;
    listener->events->listeners--;
    text_drop(listener->now);
    group_leave(listener->events, group);
    free(listener);
}

void web_events_free(struct web_events *events) {
    if (!events)
        return;
    while (!list_is_empty(&events->groups)) {
        struct group *group = list_item(events->groups.next, struct group, link);
        web_listener_leave(list_item(group->listeners.next, struct web_listener, link));
    }
    loop_task_cancel(&events->check_task);
    text_drop(events->beat);
    text_drop(events->bye);
    free(events);
}

size_t web_events_count(const struct web_events *events) {
    return events->listeners;
}

/* The user's group as it sees the machines now. */
static int group_get(struct web_events *events, int64_t user_id, struct group **out) {
    struct list *node, *tmp;
    list_foreach (node, tmp, &events->groups) {
        struct group *group = list_item(node, struct group, link);
        if (group->viewer.id == user_id) {
            *out = group;
            return 0;
        }
    }
    struct group *group = calloc(1, sizeof(*group));
    if (!group)
        return SP_ENOMEM;
    int rc = store_user_subject(events->web->source.store, user_id, &group->viewer);
    if (rc) {
        free(group);
        return rc;
    }
    list_init(&group->listeners);
    bool first = list_is_empty(&events->groups);
    list_append(&events->groups, &group->link);
    if (first)
        timer_start(&events->beat_timer, BEAT_MS);
    rc = events_look(events, group);
    if (rc)
        group_leave(events, group);
    else
        *out = group;
    return rc;
}

/* The answer's head, and everything as the first event. */
static int listener_begin(struct web_listener *listener) {
    struct buf head;
    buf_init(&head);
    int rc = buf_append(&head, HEAD, sizeof(HEAD) - 1);
    rc = rc ? rc : web_fixed_fields(listener->events->web, &head);
    if (rc || !group_whole(listener->group)) {
        buf_fini(&head);
        return SP_ENOMEM;
    }
    http_conn_stream(listener->http, &head);
    listener->behind = true;
    listener_pump(listener);
    return 0;
}

int web_events_join(struct web_events *events, struct http_conn *http, const struct web_viewer *viewer,
                    struct web_listener **out) {
    struct group *group;
    if (events->listeners >= ALL_MAX)
        return SP_EBUSY;
    int rc = group_get(events, viewer->user_id, &group);
    if (rc)
        return rc;
    if (group->listener_count >= USER_MAX)
        return SP_EBUSY;
    struct web_listener *listener = calloc(1, sizeof(*listener));
    if (!listener) {
        group_leave(events, group);
        return SP_ENOMEM;
    }
    *listener = (struct web_listener){
        .events = events, .group = group, .http = http, .session_id = viewer->session_id, .token_id = viewer->token_id};
    list_append(&group->listeners, &listener->link);
    group->listener_count++;
    events->listeners++;
    rc = listener_begin(listener);
    if (rc)
        web_listener_leave(listener);
    else
        *out = listener;
    return rc;
}
