/* What has changed since the last look, for each user: machines are put into words once, users share the words. */
#include <stdlib.h>
#include <string.h>

#include "web_events_local.h"

/* A machine at this look, in each of the forms in which users see it: they differ in what is hidden. */
struct form {
    uint64_t hidden;
    bool home_hidden;
    struct text *json; /* a reference */
};
struct row {
    struct form *forms; /* owned */
    size_t count;
};

struct text *text_new(const void *bytes, size_t n) {
    struct text *text = malloc(sizeof(*text) + n);
    if (text) {
        text->refs = 1;
        text->len = n;
        memcpy(text->bytes, bytes, n);
    }
    return text;
}

struct text *text_keep(struct text *text) {
    text->refs++;
    return text;
}

void text_drop(struct text *text) {
    if (text && --text->refs == 0)
        free(text);
}

static void rows_free(struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < rows[i].count; j++)
            text_drop(rows[i].forms[j].json);
        free(rows[i].forms);
    }
    free(rows);
}

static void shown_free(struct shown *shown, size_t count) {
    for (size_t i = 0; i < count; i++)
        text_drop(shown[i].json);
    free(shown);
}

void group_forget(struct group *group) {
    shown_free(group->shown, group->shown_count);
    group->shown = NULL;
    group->shown_count = 0;
    text_drop(group->whole);
    group->whole = NULL;
}

/* NULL: out of memory. */
static struct text *view_text(const struct machine_view *view) {
    struct text *text = NULL;
    struct buf json;
    buf_init(&json);
    if (view_json(view, &json) == 0)
        text = text_new(buf_head(&json), buf_len(&json) - 1); /* without the newline */
    buf_fini(&json);
    return text;
}

/* The words for a view that was narrowed to somebody; borrowed from the row. */
static struct text *row_text(struct row *row, const struct machine_view *view) {
    for (size_t i = 0; i < row->count; i++) {
        if (row->forms[i].hidden == view->hidden && row->forms[i].home_hidden == view->home_hidden)
            return row->forms[i].json;
    }
    struct form *forms = reallocarray(row->forms, row->count + 1, sizeof(*forms));
    if (!forms)
        return NULL;
    row->forms = forms;
    struct text *text = view_text(view);
    if (text)
        row->forms[row->count++] = (struct form){view->hidden, view->home_hidden, text};
    return text;
}

/* What is new for a group, as events. */
struct news {
    struct buf text;
    int rc;
};

static void news_machine(struct news *news, const struct text *json) {
    if (!news->rc)
        news->rc = buf_printf(&news->text, "event: machine\ndata: %.*s\n\n", (int)json->len, json->bytes);
}

static void news_gone(struct news *news, const char *name) {
    if (!news->rc)
        news->rc = buf_printf(&news->text, "event: gone\ndata: {\"name\":\"%s\"}\n\n", name);
}

static bool is_same(const struct text *a, const struct text *b) {
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Both lists are by name. */
static void news_compare(struct news *news, const struct shown *old, size_t old_count, const struct shown *fresh,
                         size_t fresh_count) {
    size_t i = 0, j = 0;
    while (i < old_count || j < fresh_count) {
        int order = i == old_count ? 1 : j == fresh_count ? -1 : strcmp(old[i].name, fresh[j].name);
        if (order < 0)
            news_gone(news, old[i].name);
        else if (order > 0 || !is_same(old[i].json, fresh[j].json))
            news_machine(news, fresh[j].json);
        i += order <= 0;
        j += order >= 0;
    }
}

static void group_tell(struct group *group, struct news *news) {
    struct list *node, *tmp;
    struct text *message = text_new(buf_head(&news->text), buf_len(&news->text));
    text_drop(group->whole);
    group->whole = NULL;
    list_foreach (node, tmp, &group->listeners) {
        struct web_listener *listener = list_item(node, struct web_listener, link);
        if (message)
            listener_send(listener, message);
        else
            listener->behind = true;
    }
    text_drop(message);
}

/* `rows` go with the overview. */
static int group_look(struct group *group, const struct overview *overview, struct row *rows) {
    size_t count = overview->count, seen = 0;
    struct shown *fresh = calloc(count ? count : 1, sizeof(*fresh));
    if (!fresh)
        return SP_ENOMEM;
    struct news news = {.rc = 0};
    buf_init(&news.text);
    for (size_t i = 0; i < count && !news.rc; i++) {
        struct machine_view view = overview->views[i];
        if (!view_narrow(&view, &group->viewer))
            continue;
        struct text *json = row_text(&rows[i], &view);
        if (json) {
            memcpy(fresh[seen].name, view.name, strlen(view.name) + 1);
            fresh[seen++].json = text_keep(json);
        } else {
            news.rc = SP_ENOMEM;
        }
    }
    if (!news.rc)
        news_compare(&news, group->shown, group->shown_count, fresh, seen);
    if (news.rc) {
        shown_free(fresh, seen);
    } else {
        shown_free(group->shown, group->shown_count);
        group->shown = fresh;
        group->shown_count = seen;
        if (buf_len(&news.text))
            group_tell(group, &news);
    }
    buf_fini(&news.text);
    return news.rc;
}

int events_look(struct web_events *events, struct group *only) {
    static const struct policy_subject everything = {.kind = SUBJECT_OPERATOR};
    struct overview overview;
    struct list *node, *tmp;
    int rc = overview_load(&events->web->source, &everything, &overview);
    if (rc)
        return rc;
    struct row *rows = calloc(overview.count ? overview.count : 1, sizeof(*rows));
    if (!rows) {
        overview_fini(&overview);
        return SP_ENOMEM;
    }
    list_foreach (node, tmp, &events->groups) {
        struct group *group = list_item(node, struct group, link);
        int failed = only && only != group ? 0 : group_look(group, &overview, rows);
        rc = rc ? rc : failed;
    }
    rows_free(rows, overview.count);
    overview_fini(&overview);
    return rc;
}

struct text *group_whole(struct group *group) {
    struct buf all;
    if (group->whole)
        return group->whole;
    buf_init(&all);
    int rc = buf_printf(&all, "retry: 2000\nevent: machines\ndata: [");
    for (size_t i = 0; i < group->shown_count && !rc; i++) {
        rc = i ? buf_append(&all, ",", 1) : 0;
        rc = rc ? rc : buf_append(&all, group->shown[i].json->bytes, group->shown[i].json->len);
    }
    if (!rc && buf_append(&all, "]\n\n", 3) == 0)
        group->whole = text_new(buf_head(&all), buf_len(&all));
    buf_fini(&all);
    return group->whole;
}
