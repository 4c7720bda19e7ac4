#include "notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/log.h"
#include "sallyport/base/loop.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/candidate.h"
#include "sallyport/store/channels.h"
#include "sallyport/wire/post.h"

enum {
    SLOTS = 8,
    LOOK_MS = 1000,
    TIMEOUT_S = 20,
    FIRST_RETRY_S = 5,   /* doubled each time ... */
    LAST_RETRY_S = 3600, /* ... up to this */
    TEST_EVERY_S = 5,
    TESTS_MAX = 2, /* of one user, under way: what is tried, perhaps in vain, leaves room for what has happened */
    PASSWORD_MAX = 1024,
    PAGE_SIZE = 320,
    URL_SIZE = PAGE_SIZE + 16 + SP_NAME_SIZE,
};

/* A message that is being sent. */
struct slot {
    struct notify *notify;
    bool busy, test;
    int64_t user_id; /* of a test: whose channel it is */
    struct notice_row row;
};

struct notify {
    struct store *store;
    int64_t (*now)(void);
    struct posts *posts;
    struct loop_timer timer;
    struct slot slots[SLOTS];
    char page[PAGE_SIZE];
    char *smtp_url, *smtp_user, *smtp_password, *mail_from; /* owned; NULL: none */
};

void notify_free_channels(struct channel *channels, size_t count) {
    if (channels)
        secret_wipe(channels, count * sizeof *channels);
    free(channels);
}

static bool is_public(const char *address) {
    return address_scope(address) == ADDRESS_PUBLIC;
}

static struct slot *find_slot(struct notify *notify, int64_t channel_id) {
    for (size_t i = 0; i < SLOTS; i++) {
        if (notify->slots[i].busy && notify->slots[i].row.channel_id == channel_id)
            return &notify->slots[i];
    }
    return NULL;
}

static struct slot *free_slot(struct notify *notify) {
    for (size_t i = 0; i < SLOTS; i++) {
        if (!notify->slots[i].busy)
            return &notify->slots[i];
    }
    return NULL;
}

static bool has_many_tests(const struct notify *notify, int64_t user_id) {
    size_t count = 0;
    for (size_t i = 0; i < SLOTS; i++)
        count += notify->slots[i].busy && notify->slots[i].test && notify->slots[i].user_id == user_id;
    return count >= TESTS_MAX;
}

static int64_t retry_after(int64_t tries) {
    int64_t wait = FIRST_RETRY_S;
    while (tries-- > 0 && wait < LAST_RETRY_S)
        wait *= 2;
    return wait < LAST_RETRY_S ? wait : LAST_RETRY_S;
}

/* It did not go: once more, but not for ever. */
static void put_off(struct notify *notify, const struct notice_row *row, const char *trouble) {
    int64_t now = notify->now();
    if (now >= row->created + STORE_NOTICES_LIFE_S) {
        log_warn("a message of channel %lld is given up after a day: %s", (long long)row->channel_id, trouble);
        (void)store_notice_remove(notify->store, row->id);
        return;
    }
    log_info("a message of channel %lld did not go, and is tried again: %s", (long long)row->channel_id, trouble);
    (void)store_notice_later(notify->store, row->id, now + retry_after(row->tries), row->tries + 1);
}

/* `trouble` "": it arrived. */
static void went(struct notify *notify, const struct slot *slot, const char *trouble) {
    if (!slot->test && trouble[0])
        put_off(notify, &slot->row, trouble);
    else if (!slot->test)
        (void)store_notice_remove(notify->store, slot->row.id);
    (void)store_channel_went(notify->store, slot->row.channel_id, notify->now(), slot->test, trouble);
}

static void on_sent(void *ctx, int rc, const struct why *why) {
    struct slot *slot = ctx;
    char trouble[CHANNEL_TROUBLE_SIZE] = "";
    if (rc < 0)
        (void)snprintf(trouble, sizeof trouble, "%.*s", (int)str_cut(why->text, strlen(why->text), sizeof trouble - 1),
                       why->text);
    slot->busy = false;
    went(slot->notify, slot, trouble);
    notify_wake(slot->notify);
}

static void page_of(const struct notify *notify, const struct notice *notice, char to[static URL_SIZE]) {
    bool machine = notice->machine[0] != '\0';
    (void)snprintf(to, URL_SIZE, "%s/%s%s", notify->page, machine ? "machines/" : "alerts",
                   machine ? notice->machine : "");
}

static int send_web(struct notify *notify, struct slot *slot, const struct channel *channel, struct post *post,
                    const char *url) {
    char title[128], click[URL_SIZE + 8], tags[64], priority[32];
    const struct notice *notice = &slot->row.notice;
    struct buf body, head;
    buf_init(&body);
    buf_init(&head);
    int rc = channel->kind == CHANNEL_NTFY ? notice_line(notice, &body) : notice_json(notice, url, &body);
    if (rc == 0)
        rc = notice_title(notice, &head);
    if (rc == 0)
        rc = buf_string(&head) ? 0 : SP_ENOMEM;
    if (rc == 0) {
        (void)snprintf(title, sizeof title, "Title: %s", buf_string(&head));
        (void)snprintf(click, sizeof click, "Click: %s", url);
        (void)snprintf(tags, sizeof tags, "Tags: %s", notice_tag(notice));
        (void)snprintf(priority, sizeof priority, "Priority: %d", notice_priority(notice));
        const char *const ntfy[] = {"Content-Type: text/plain; charset=utf-8", title, click, tags, priority};
        const char *const hook[] = {"Content-Type: application/json"};
        if (channel->kind == CHANNEL_NTFY)
            memcpy(post->fields, ntfy, sizeof ntfy);
        else
            memcpy(post->fields, hook, sizeof hook);
        post->url = channel->address;
        post->body = buf_head(&body);
        post->body_len = buf_len(&body);
        post->allows = channel->is_private ? NULL : is_public;
        rc = posts_send(notify->posts, post, on_sent, slot);
    }
    buf_fini(&head);
    buf_fini(&body);
    return rc;
}

static int send_mail(struct notify *notify, struct slot *slot, const struct channel *channel, struct post *post,
                     const char *url) {
    struct buf body;
    if (!notify->smtp_url)
        return SP_EINVAL;
    buf_init(&body);
    int rc = notice_mail(&slot->row.notice, url, notify->mail_from, channel->address, notify->now(), &body);
    if (rc == 0) {
        post->url = notify->smtp_url;
        post->from = notify->mail_from;
        post->to = channel->address;
        post->user = notify->smtp_user;
        post->password = notify->smtp_password;
        post->body = buf_head(&body);
        post->body_len = buf_len(&body);
        rc = posts_send(notify->posts, post, on_sent, slot);
    }
    buf_fini(&body);
    return rc;
}

/* `slot` has its row. */
static int send_notice(struct notify *notify, struct slot *slot, const struct channel *channel) {
    struct post post = {.timeout_s = TIMEOUT_S};
    char url[URL_SIZE];
    page_of(notify, &slot->row.notice, url);
    int rc = channel->kind == CHANNEL_MAIL ? send_mail(notify, slot, channel, &post, url)
                                           : send_web(notify, slot, channel, &post, url);
    slot->busy = rc == 0;
    return rc;
}

/* When his quiet hours end that hold now; 0: they do not, or this does not wait for them. */
static int64_t quiet_now(const struct notify *notify, const struct channel *channel, const struct notice *notice) {
    struct quiet quiet;
    if (notice->urgent || store_quiet_get(notify->store, channel->user_id, &quiet) < 0)
        return 0;
    return quiet_until(&quiet, notify->now());
}

static void send_due(struct notify *notify, const struct notice_row *row) {
    struct channel channel;
    struct slot *slot = free_slot(notify);
    if (!slot || find_slot(notify, row->channel_id) || store_channel_get(notify->store, row->channel_id, &channel) < 0)
        return;
    int64_t later = quiet_now(notify, &channel, &row->notice);
    slot->row = *row;
    slot->test = false;
    if (later)
        (void)store_notice_later(notify->store, row->id, later, row->tries);
    else if (send_notice(notify, slot, &channel) < 0)
        went(notify, slot,
             channel.kind == CHANNEL_MAIL && !notify->smtp_url ? "no smtp_url is configured"
                                                               : "the relay could not send it");
    secret_wipe(&channel, sizeof channel);
}

static void on_timer(void *ctx) {
    struct notify *notify = ctx;
    struct notice_row *rows = NULL;
    size_t count = 0;
    int64_t now = notify->now();
    (void)store_notice_more(notify->store, now);
    if (store_notice_due(notify->store, now, 4 * SLOTS, &rows, &count) == 0) {
        for (size_t i = 0; i < count; i++)
            send_due(notify, &rows[i]);
    }
    free(rows);
    (void)loop_timer_set(&notify->timer, LOOK_MS);
}

void notify_wake(struct notify *notify) {
    (void)loop_timer_set(&notify->timer, 0);
}

int notify_check(const struct notify *notify, enum channel_kind kind, struct why *why) {
    if (kind != CHANNEL_MAIL || notify->smtp_url)
        return 0;
    why_set(why, "this relay sends no mail: its operator can give it a server (smtp_url, mail_from)");
    return SP_EINVAL;
}

int notify_test(struct notify *notify, int64_t channel_id, struct why *why) {
    struct channel channel;
    struct slot *slot = free_slot(notify);
    int rc = store_channel_get(notify->store, channel_id, &channel);
    if (rc < 0)
        return rc;
    int64_t since = notify->now() - channel.tested; /* below 0: the clock was set back */
    if (!slot || find_slot(notify, channel_id) || has_many_tests(notify, channel.user_id) ||
        (since >= 0 && since < TEST_EVERY_S)) {
        secret_wipe(&channel, sizeof channel);
        why_set(why,
                "a message to it or other tests are on their way, or were a moment ago: try again in a few seconds");
        return SP_EBUSY;
    }
    slot->row = (struct notice_row){.channel_id = channel_id, .created = notify->now()};
    slot->row.notice = (struct notice){.kind = "test",
                                       .state = "test",
                                       .text = "this is a test: messages from Sallyport arrive here",
                                       .since = notify->now()};
    slot->test = true;
    slot->user_id = channel.user_id;
    rc = send_notice(notify, slot, &channel);
    secret_wipe(&channel, sizeof channel);
    if (rc < 0)
        why_set(why, "the relay could not send it: %s", err_text(rc));
    return rc;
}

static int copy_option(char **to, const char *from) {
    if (!from)
        return 0;
    *to = strdup(from);
    return *to ? 0 : SP_ENOMEM;
}

static int read_password(struct notify *notify, const char *path, struct why *why) {
    struct buf text;
    buf_init(&text);
    int rc = os_read_file(path, PASSWORD_MAX, &text);
    if (rc < 0)
        why_set(why, "smtp_password_file %s: %s", path, err_text(rc));
    const char *line = rc == 0 ? buf_string(&text) : NULL;
    if (rc == 0)
        notify->smtp_password = line ? strndup(line, strcspn(line, "\r\n")) : NULL;
    if (rc == 0 && !notify->smtp_password)
        rc = SP_ENOMEM;
    buf_wipe(&text);
    return rc;
}

static int set_mail(struct notify *notify, const struct watch_config *config, struct why *why) {
    int rc = copy_option(&notify->smtp_url, config->smtp_url);
    if (rc == 0)
        rc = copy_option(&notify->smtp_user, config->smtp_user);
    if (rc == 0)
        rc = copy_option(&notify->mail_from, config->mail_from);
    if (rc == 0 && config->smtp_password_file)
        rc = read_password(notify, config->smtp_password_file, why);
    return rc;
}

int notify_new(const struct watch_config *config, struct notify **out, struct why *why) {
    struct notify *notify = calloc(1, sizeof *notify);
    if (!notify)
        return SP_ENOMEM;
    notify->store = config->store;
    notify->now = config->now;
    loop_timer_init(config->loop, &notify->timer, on_timer, notify);
    for (size_t i = 0; i < SLOTS; i++)
        notify->slots[i].notify = notify;
    int rc = str_copy(notify->page, sizeof notify->page, config->page);
    if (rc == 0)
        rc = set_mail(notify, config, why);
    if (rc == 0)
        rc = posts_new(config->loop, &notify->posts);
    if (rc == 0)
        rc = loop_timer_set(&notify->timer, LOOK_MS);
    if (rc < 0) {
        notify_free(notify);
        return rc;
    }
    *out = notify;
    return 0;
}

void notify_free(struct notify *notify) {
    if (!notify)
        return;
    loop_timer_stop(&notify->timer);
    posts_free(notify->posts);
    if (notify->smtp_password)
        secret_wipe(notify->smtp_password, strlen(notify->smtp_password));
    free(notify->smtp_password);
    free(notify->smtp_url);
    free(notify->smtp_user);
    free(notify->mail_from);
    free(notify);
}
