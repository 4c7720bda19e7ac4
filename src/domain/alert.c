/* How alerts begin and end. */
#include "sallyport/domain/alert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alert_local.h"
#include "sallyport/base/str.h"

#define EVENTS_A_MINUTE 10

void alert_state_fini(struct alert_state *state) {
    free(state->items);
    *state = (struct alert_state){.items = NULL};
}

static struct alert_item *find(struct alert_state *state, enum alert_kind kind, const char *key) {
    for (size_t i = 0; i < state->count; i++) {
        if (state->items[i].alert.kind == kind && strcmp(state->items[i].alert.key, key) == 0)
            return &state->items[i];
    }
    return NULL;
}

/* A new one; NULL when there are too many, or memory is short. */
static struct alert_item *add(struct alert_state *state, enum alert_kind kind, const char *key) {
    if (state->count == ALERT_ITEMS_MAX)
        return NULL;
    if (state->count == state->capacity) {
        size_t capacity = state->capacity ? state->capacity * 2 : 4;
        struct alert_item *items = reallocarray(state->items, capacity, sizeof(*items));
        if (!items)
            return NULL;
        state->items = items;
        state->capacity = capacity;
    }
    struct alert_item *item = &state->items[state->count];
    *item = (struct alert_item){.alert = {.kind = kind}, .counted = STATUS_UNKNOWN};
    if (str_copy(item->alert.key, sizeof(item->alert.key), key))
        return NULL;
    state->count++;
    return item;
}

static void drop(struct alert_state *state, struct alert_item *item) {
    *item = state->items[--state->count];
}

int alert_state_restore(struct alert_state *state, const struct alert *alert) {
    struct alert_item *item = find(state, alert->kind, alert->key);
    if (!item)
        item = add(state, alert->kind, alert->key);
    if (!item)
        return state->count == ALERT_ITEMS_MAX ? SP_ETOOBIG : SP_ENOMEM;
    item->alert = *alert;
    item->on = true;
    return 0;
}

const struct alert *alert_state_next(const struct alert_state *state, size_t *cursor) {
    while (*cursor < state->count) {
        const struct alert_item *item = &state->items[(*cursor)++];
        if (item->on)
            return &item->alert;
    }
    return NULL;
}

enum alert_level alert_level_of(double value, double limit, double good) {
    if (!isfinite(value))
        return LEVEL_UNKNOWN;
    if (value >= limit)
        return LEVEL_BAD;
    return value < good ? LEVEL_GOOD : LEVEL_BETWEEN;
}

/* How long it is so; a clock that was set back begins anew. */
static int64_t lasts(int64_t *since, int64_t now) {
    if (*since == 0 || *since > now)
        *since = now;
    return now - *since;
}

static void turn(const struct alert_look *look, struct alert_item *item, enum alert_turn what) {
    item->on = what == ALERT_ON;
    if (what == ALERT_ON)
        item->alert.since = look->view->now;
    look->view->turned(look->view->ctx, &item->alert, what);
}

static void copy_text(char *to, size_t size, const char *from) {
    snprintf(to, size, "%.*s", (int)str_cut(from, strlen(from), size - 1), from);
}

static void end(struct alert_look *look, struct alert_item *item, const char *over) {
    copy_text(item->alert.text, sizeof(item->alert.text), over);
    turn(look, item, ALERT_OFF);
}

static void be_bad(struct alert_look *look, struct alert_item *item, const struct alert_sight *sight) {
    int64_t now = look->view->now;
    item->good_since = 0;
    copy_text(item->alert.text, sizeof(item->alert.text), sight->text);
    if (sight->who)
        copy_text(item->alert.who, sizeof(item->alert.who), sight->who);
    if (sight->other)
        copy_text(item->alert.other, sizeof(item->alert.other), sight->other);
    if (lasts(&item->bad_since, now) >= alert_on_after_s(look->view->settings, sight->kind) && !item->on)
        turn(look, item, ALERT_ON);
}

static void be_good(struct alert_look *look, struct alert_item *item, const struct alert_sight *sight) {
    item->bad_since = 0;
    if (item->on && lasts(&item->good_since, look->view->now) >= alert_off_after_s(sight->kind))
        end(look, item, sight->over);
    /* What was counted is remembered: the next error makes a difference. */
    if (!item->on && item->counted == STATUS_UNKNOWN)
        drop(look->state, item);
}

void alert_see(struct alert_look *look, const struct alert_sight *sight) {
    struct alert_item *item = find(look->state, sight->kind, sight->key);
    if (!alert_settings_wants(look->view->settings, sight->kind))
        return;
    if (!item && sight->level == LEVEL_BAD)
        item = add(look->state, sight->kind, sight->key);
    if (!item)
        return;
    item->seen = look->view->now;
    copy_text(item->alert.object, sizeof(item->alert.object), sight->object);
    switch (sight->level) {
    case LEVEL_BAD:
        be_bad(look, item, sight);
        break;
    case LEVEL_GOOD:
        be_good(look, item, sight);
        break;
    case LEVEL_BETWEEN:
        if (item->on)
            item->good_since = 0;
        else
            item->bad_since = 0;
        break;
    case LEVEL_UNKNOWN:
        break;
    }
}

void alert_see_count(struct alert_look *look, const struct alert_sight *sight, int64_t count) {
    struct alert_item *item = find(look->state, sight->kind, sight->key);
    struct alert_sight seen = *sight;
    if (!alert_settings_wants(look->view->settings, sight->kind))
        return;
    if (!item && count >= 0)
        item = add(look->state, sight->kind, sight->key);
    if (!item)
        return;
    if (count < 0) {
        item->seen = look->view->now;
        return;
    }
    int64_t known = item->counted;
    if (known > count) /* its counter began anew */
        known = 0;
    seen.level = known != STATUS_UNKNOWN && count > known ? LEVEL_BAD : LEVEL_GOOD;
    item->counted = count;
    alert_see(look, &seen);
}

void alert_tell_event(struct alert_look *look, const struct alert *alert) {
    int64_t minute = look->view->now / 60;
    if (look->state->minute != minute) {
        look->state->minute = minute;
        look->state->events = 0;
    }
    if (look->state->events++ < EVENTS_A_MINUTE)
        look->view->turned(look->view->ctx, alert, ALERT_HAPPENED);
}

void alert_forget(struct alert_look *look, bool statuses) {
    int64_t now = look->view->now;
    for (size_t i = look->state->count; i-- > 0;) {
        struct alert_item *item = &look->state->items[i];
        if (alert_is_of_status(item->alert.kind) != statuses)
            continue;
        bool wanted = alert_settings_wants(look->view->settings, item->alert.kind);
        bool keep = item->on || item->counted != STATUS_UNKNOWN;
        if (wanted && item->seen == now)
            continue;
        if (wanted && keep && lasts(&item->seen, now) < alert_gone_after_s(item->alert.kind))
            continue;
        if (item->on && wanted && statuses) {
            char over[ALERT_TEXT_SIZE];
            alert_gone_text(&item->alert, over);
            end(look, item, over);
        }
        if (item->on)
            turn(look, item, ALERT_DROPPED);
        drop(look->state, item);
    }
}
