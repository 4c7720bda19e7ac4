#include "link.h"

#include <stdlib.h>
#include <string.h>

#include "sallyport/base/log.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/probe/sshd.h"
#include "sallyport/probe/system.h"
#include "sallyport_version.h"

struct agent_link {
    struct loop *loop;
    struct ssh_conn *conn;
    struct stream *stream; /* NULL until the relay has opened it */
    const struct services *services;
    struct buf in, out;
    char name[SP_NAME_SIZE];
    bool said_system;                      /* hello had the system's host keys */
    char host_key[1100];                   /* of an SSH server that is not the system's; may be "" */
    bool up;                               /* welcome came */
    bool services_due, reach_due, lan_due; /* they changed while the relay did not read */
    struct link_reach reach;               /* these two: the last one, if due */
    struct link_lan lan;
    bool lost_told;
    bool abandoned; /* freed while the channel was being opened */
    int64_t pings;
    const struct agent_link_events *events;
    void *ctx;
};

static void link_flush(struct agent_link *link) {
    while (link->stream && buf_len(&link->out)) {
        ssize_t n = link->stream->ops->write(link->stream, buf_head(&link->out), buf_len(&link->out));
        if (n <= 0)
            return;
        if ((size_t)n == buf_len(&link->out))
            buf_wipe(&link->out); /* tokens went this way */
        else
            buf_consume(&link->out, (size_t)n);
    }
}

static void link_lost(struct agent_link *link) {
    if (link->stream)
        link->stream->ops->close(link->stream);
    link->stream = NULL;
    link->up = false;
    buf_fini(&link->in);
    buf_wipe(&link->out);
    if (link->lost_told)
        return;
    link->lost_told = true;
    link->events->lost(link->ctx);
}

static int link_say_hello(struct agent_link *link) {
    struct link_hello hello = {.protocol = LINK_PROTOCOL, .time = os_realtime_s()};
    struct sshd_keys keys = {.count = 0};
    char *lines[SSHD_KEYS_MAX];
    (void)str_copy(hello.name, sizeof hello.name, link->name);
    (void)str_copy(hello.version, sizeof hello.version, SALLYPORT_VERSION);
    (void)system_boot_id("", hello.boot_id);
    (void)system_hostname("", hello.hostname, sizeof hello.hostname);
    link->said_system = services_ssh_is_system(link->services);
    if (link->said_system)
        sshd_keys_read("", &keys);
    else if (link->host_key[0] && str_copy(keys.text[0], sizeof keys.text[0], link->host_key) == 0)
        keys.count = 1;
    for (size_t i = 0; i < keys.count; i++)
        lines[i] = keys.text[i];
    hello.host_keys = lines;
    hello.host_key_count = keys.count;
    return link_format_hello(&link->out, &hello);
}

/* The host keys are others than those that were said. */
static void link_say_hello_again(struct agent_link *link) {
    if (!link->stream || buf_len(&link->out) >= LINK_LINE_MAX)
        return;
    (void)link_say_hello(link);
    link_flush(link);
}

void agent_link_host_key(struct agent_link *link, const char *key) {
    if (strcmp(link->host_key, key) == 0)
        return;
    (void)str_copy(link->host_key, sizeof link->host_key, key);
    link_say_hello_again(link);
}

void agent_link_services(struct agent_link *link) {
    if (!link->stream)
        return;
    link->services_due = buf_len(&link->out) >= LINK_LINE_MAX;
    if (link->services_due)
        return;
    const struct published *list;
    size_t count;
    struct service plain[SERVICES_MAX];
    if (link->said_system != services_ssh_is_system(link->services))
        link_say_hello_again(link);
    services_list(link->services, &list, &count);
    for (size_t i = 0; i < count; i++)
        plain[i] = list[i].service;
    (void)link_format_services(&link->out, plain, count);
    secret_wipe(plain, count * sizeof plain[0]);
    link_flush(link);
}

void agent_link_status(struct agent_link *link, const struct status *status) {
    if (!link->stream || buf_len(&link->out) >= LINK_LINE_MAX)
        return;
    (void)link_format_status(&link->out, status);
    link_flush(link);
}

void agent_link_lan(struct agent_link *link, const struct link_lan *lan) {
    if (!link->up || !link->stream)
        return;
    link->lan_due = buf_len(&link->out) >= LINK_LINE_MAX;
    if (link->lan_due) {
        link->lan = *lan;
        return;
    }
    (void)link_format_lan(&link->out, lan);
    link_flush(link);
}

void agent_link_reach(struct agent_link *link, const struct link_reach *reach) {
    if (!link->up || !link->stream)
        return;
    link->reach_due = buf_len(&link->out) >= LINK_LINE_MAX;
    if (link->reach_due) {
        link->reach = *reach;
        return;
    }
    (void)link_format_reach(&link->out, reach);
    link_flush(link);
}

void agent_link_error(struct agent_link *link, const char *text) {
    if (!link->stream || buf_len(&link->out) >= LINK_LINE_MAX)
        return;
    (void)link_format_error(&link->out, text);
    link_flush(link);
}

int64_t agent_link_ping(struct agent_link *link) {
    if (!link->stream || buf_len(&link->out) >= LINK_LINE_MAX)
        return 0;
    (void)link_format_ping(&link->out, ++link->pings);
    link_flush(link);
    return link->pings;
}

bool agent_link_is_up(const struct agent_link *link) {
    return link && link->up;
}

static int link_handle(struct agent_link *link, const struct link_message *message) {
    switch (message->kind) {
    case LINK_WELCOME:
        if (!link->up)
            log_info("the relay runs version %s and sees this machine at %s", message->welcome.version,
                     message->welcome.observed_address);
        link->up = true;
        link->events->heard(link->ctx, message);
        return 0;
    case LINK_PONG:
    case LINK_VERIFY:
    case LINK_OPEN:
    case LINK_PUNCH:
    case LINK_END:
    case LINK_WAKE:
    case LINK_PUBLISH:
        link->events->heard(link->ctx, message);
        return 0;
    case LINK_ERROR:
        log_warn("the relay says: %s", message->text);
        return 0;
    case LINK_UNKNOWN:
        return 0;
    case LINK_OTHER:
        return link_format_unknown(&link->out, message->of);
    case LINK_PING:
        return link_format_pong(&link->out, &(struct link_pong){.n = message->n});
    case LINK_HELLO:
    case LINK_SERVICES:
    case LINK_STATUS:
    case LINK_LAN:
    case LINK_REACH:
        return link_format_unknown(&link->out, link_kind_name(message->kind));
    }
    return 0;
}

static size_t link_data(void *ctx, const uint8_t *bytes, size_t n) {
    struct agent_link *link = ctx;
    if (buf_len(&link->out) > LINK_LINE_MAX)
        return 0;
    size_t taken = 0;
    while (taken < n) {
        const uint8_t *end = memchr(bytes + taken, '\n', n - taken);
        size_t len = end ? (size_t)(end - bytes) - taken + 1 : n - taken;
        if (buf_len(&link->in) + len > LINK_LINE_MAX || buf_append(&link->in, bytes + taken, len) < 0)
            goto bad;
        taken += len;
        if (!end)
            break;
        struct link_message message;
        struct why why = {""};
        int rc = link_parse((const char *)buf_head(&link->in), buf_len(&link->in), &message, &why);
        buf_consume(&link->in, buf_len(&link->in));
        if (rc < 0)
            goto bad;
        (void)link_handle(link, &message);
        link_message_fini(&message);
    }
    link_flush(link);
    return n;
bad:
    log_warn("the relay's link makes no sense: going on without it");
    link_lost(link);
    return n;
}

static void link_end(void *ctx) {
    link_lost(ctx);
}

static void link_writable(void *ctx) {
    struct agent_link *link = ctx;
    link_flush(link);
    if (link->services_due)
        agent_link_services(link);
    if (link->reach_due)
        agent_link_reach(link, &link->reach);
    if (link->lan_due)
        agent_link_lan(link, &link->lan);
    if (link->stream && buf_len(&link->out) <= LINK_LINE_MAX)
        link->stream->ops->resume(link->stream);
}

static const struct stream_events link_events = {
    .data = link_data, .end = link_end, .writable = link_writable, .closed = link_end};

static void link_opened(void *ctx, struct ssh_chan *chan, int rc) {
    struct agent_link *link = ctx;
    if (link->abandoned) {
        if (chan)
            ssh_chan_stream(chan)->ops->close(ssh_chan_stream(chan));
        free(link);
        return;
    }
    if (rc < 0) {
        link_lost(link);
        return;
    }
    link->stream = ssh_chan_stream(chan);
    stream_listen(link->stream, &link_events, link);
    (void)link_say_hello(link);
    agent_link_services(link);
    /* Its `closed` may have come while we wrote. */
    if (link->stream)
        link->stream->ops->resume(link->stream);
}

int agent_link_new(struct loop *loop, struct ssh_conn *conn, const char *name, const struct services *services,
                   const struct agent_link_events *events, void *ctx, struct agent_link **out) {
    struct agent_link *link = calloc(1, sizeof *link);
    if (!link)
        return SP_ENOMEM;
    link->loop = loop;
    link->conn = conn;
    link->services = services;
    link->events = events;
    link->ctx = ctx;
    (void)str_copy(link->name, sizeof link->name, name);
    buf_init(&link->in);
    buf_init(&link->out);
    struct ssh_chan *unused;
    int rc = ssh_conn_open_session(conn, "sallyport", NULL, link_opened, link, &unused);
    if (rc < 0) {
        free(link);
        return rc;
    }
    *out = link;
    return 0;
}

void agent_link_free(struct agent_link *link) {
    if (!link)
        return;
    bool opening = !link->stream && !link->lost_told;
    link->lost_told = true;
    link_lost(link);
    if (opening)
        link->abandoned = true;
    else
        free(link);
}
