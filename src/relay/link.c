#include <stdlib.h>
#include <string.h>

#include "link_budget.h"
#include "proof.h"
#include "recorder.h"
#include "relay_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport_version.h"
#include "tickets.h"
#include "watch.h"

enum { HELD_MS = 100 };

/* The link of one machine. It lives as long as its channel. */
struct link {
    struct peer *peer;
    struct stream *stream;
    struct buf in, out;
    struct loop_task finish;
    struct link_budget budget;
    struct loop_timer held; /* set while it is not read, since it said too much */
    bool greeted;
    bool over; /* nothing is read any more; what is in `out` still goes, then the link is closed */
};

static void link_free(struct link *link) {
    loop_task_cancel(&link->finish);
    loop_timer_stop(&link->held);
    link->peer->link_session = NULL;
    link->stream->ops->close(link->stream);
    buf_wipe(&link->in); /* tokens came this way */
    buf_fini(&link->out);
    free(link);
}

static void link_flush(struct link *link) {
    while (buf_len(&link->out)) {
        ssize_t n = link->stream->ops->write(link->stream, buf_head(&link->out), buf_len(&link->out));
        if (n <= 0)
            return;
        buf_consume(&link->out, (size_t)n);
    }
    if (link->over)
        loop_task_post(&link->finish);
}

static void link_finish(void *ctx) {
    link_free(ctx);
}

/* Says why, then ends the link; the tunnels stay. */
static void link_refuse(struct link *link, const char *text) {
    log_warn("link of %s: %s", link->peer->name, text);
    (void)link_format_error(&link->out, text);
    link->over = true;
}

static int link_greet(struct link *link) {
    struct link_welcome welcome = {.protocol = LINK_PROTOCOL, .server_time = os_realtime_s(), .has_ticket_key = true};
    (void)str_copy(welcome.version, sizeof welcome.version, SALLYPORT_VERSION);
    (void)str_copy(welcome.observed_address, sizeof welcome.observed_address, ssh_conn_peer(link->peer->conn));
    (void)str_copy(welcome.name, sizeof welcome.name, link->peer->machine->name);
    memcpy(welcome.ticket_key, tickets_public(link->peer->relay->tickets), sizeof welcome.ticket_key);
    return link_format_welcome(&link->out, &welcome);
}

static int link_hello(struct link *link, struct link_hello *hello) {
    struct machine_live *machine = link->peer->machine;
    (void)str_copy(machine->version, sizeof machine->version, hello->version);
    link->greeted = true;
    machine_set_clock(machine, hello->time);
    machine_set_host_keys(machine, hello->host_keys, hello->host_key_count);
    hello->host_keys = NULL; /* handed over */
    hello->host_key_count = 0;
    return link_greet(link);
}

static void link_reach(struct link *link, const struct link_reach *reach) {
    struct relay *relay = link->peer->relay;
    struct machine_live *machine = link->peer->machine;
    bool first = !machine->has_reach;
    proofs_take(relay->proofs, machine, reach);
    if (first)
        relay_tell_losses(relay, machine);
}

static int link_handle(struct link *link, struct link_message *message) {
    struct machine_live *machine = link->peer->machine;
    if (!link->greeted && message->kind != LINK_HELLO) {
        link_refuse(link, "hello comes first");
        return 0;
    }
    switch (message->kind) {
    case LINK_HELLO:
        return link_hello(link, &message->hello);
    case LINK_SERVICES:
        if (machine_set_described(machine, message->services.list, message->services.count))
            relay_service_withdrawn(link->peer->relay, machine->id);
        message->services.list = NULL; /* handed over */
        message->services.count = 0;
        relay_machines_changed(link->peer->relay);
        return 0;
    case LINK_STATUS:
        status_fini(&machine->status);
        machine->status = message->status;
        machine->has_status = true;
        status_init(&message->status);
        recorder_take(link->peer->relay->recorder, machine->id, &machine->status);
        watch_status(link->peer->relay->watch, machine->id, &machine->status);
        relay_machines_changed(link->peer->relay);
        return 0;
    case LINK_REACH:
        link_reach(link, &message->reach);
        return 0;
    case LINK_PING:
        return link_format_pong(&link->out, &(struct link_pong){.n = message->n, .server_time = os_realtime_s()});
    case LINK_ERROR:
        log_warn("%s reports: %s", machine->name, message->text);
        return 0;
    case LINK_LAN:
        watch_lan(link->peer->relay->watch, machine->id, &message->lan);
        return 0;
    case LINK_PONG:
    case LINK_UNKNOWN:
        return 0;
    case LINK_OTHER:
        return link_format_unknown(&link->out, message->of);
    case LINK_WELCOME:
    case LINK_VERIFY:
    case LINK_OPEN:
    case LINK_PUNCH:
    case LINK_END:
    case LINK_WAKE:
    case LINK_PUBLISH:
        return link_format_unknown(&link->out, link_kind_name(message->kind));
    }
    return 0;
}

static void link_line(struct link *link, const char *line, size_t len) {
    struct link_message message;
    struct why why = {""};
    int rc = link_parse(line, len, &message, &why);
    link_budget_spend(&link->budget, len, rc == 0 && message.kind == LINK_ERROR);
    if (rc < 0) {
        link_refuse(link, why.text[0] ? why.text : err_text(rc));
        return;
    }
    if (link_handle(link, &message) < 0)
        link_refuse(link, "out of memory");
    link_message_fini(&message);
}

/* The link of a machine that is greeted and reads what it is sent; NULL: there is none. */
static struct link *link_of(const struct machine_live *live) {
    struct link *link = live->peer->link_session;
    return link && link->greeted && !link->over && buf_len(&link->out) <= LINK_LINE_MAX ? link : NULL;
}

int link_call(struct machine_live *live, enum link_kind kind, const struct link_call *call) {
    struct link *link = link_of(live);
    if (!link)
        return live->peer->link_session ? SP_EBUSY : SP_ECLOSED;
    int rc = link_format_call(&link->out, kind, call);
    link_flush(link);
    return rc;
}

void link_tell_verify(struct machine_live *live) {
    struct link *link = link_of(live);
    struct link_verify verify = {.count = 0};
    if (!link)
        return;
    for (size_t i = 0; i < live->reach.count; i++) {
        if (live->reach.list[i].kind != CANDIDATE_LAN)
            verify.list[verify.count++] = live->reach.list[i];
    }
    if (link_format_verify(&link->out, &verify) < 0)
        log_warn("%s cannot be told what was found at its door", live->name);
    link_flush(link);
}

void link_tell_end(struct machine_live *live, const char *user, const char *service) {
    struct link *link = link_of(live);
    struct link_end end = {.user = ""};
    if (!link || !live->has_reach)
        return;
    (void)str_copy(end.user, sizeof end.user, user);
    (void)str_copy(end.service, sizeof end.service, service);
    if (link_format_end(&link->out, &end) < 0)
        log_warn("%s cannot be told to end the streams of %s", live->name, user);
    link_flush(link);
}

int link_tell_wake(struct machine_live *live, const struct link_network *network) {
    struct link *link = link_of(live);
    if (!link)
        return live->peer->link_session ? SP_EBUSY : SP_ECLOSED;
    int rc = link_format_wake(&link->out, network);
    link_flush(link);
    return rc;
}

void link_tell_name(struct machine_live *live) {
    struct link *link = link_of(live);
    if (!link)
        return; /* it hears it when it says hello */
    (void)link_greet(link);
    link_flush(link);
}

int link_tell_publish(struct machine_live *live, const struct link_publish *publish) {
    struct link *link = link_of(live);
    if (!link)
        return live->peer->link_session ? SP_EBUSY : SP_ECLOSED;
    int rc = link_format_publish(&link->out, publish);
    link_flush(link);
    return rc;
}

/* It has said more than its budget: what follows waits where it is, and in the end at the machine. */
static bool link_hold(struct link *link) {
    uint64_t now = loop_now(link->peer->relay->loop);
    if (link_budget_allows(&link->budget, now))
        return false;
    if (link_budget_hold(&link->budget, now))
        log_warn("link of %s: it says more than %d lines a second, and is read more slowly now", link->peer->name,
                 LINK_BUDGET_LINES_S);
    if (loop_timer_is_set(&link->held) || loop_timer_set(&link->held, HELD_MS) == 0)
        return true;
    link_refuse(link, "out of memory");
    return false;
}

static size_t link_data(void *ctx, const uint8_t *bytes, size_t n) {
    struct link *link = ctx;
    /* A peer that does not read our answers is not read either. */
    if (buf_len(&link->out) > LINK_LINE_MAX)
        return 0;
    size_t taken = 0;
    while (taken < n && !link->over && link->peer->machine) {
        if (link_hold(link)) {
            link_flush(link);
            return taken;
        }
        const uint8_t *end = memchr(bytes + taken, '\n', n - taken);
        size_t len = end ? (size_t)(end - bytes) - taken + 1 : n - taken;
        if (buf_len(&link->in) + len > LINK_LINE_MAX) {
            link_refuse(link, "a line is longer than 65536 bytes");
            break;
        }
        if (buf_append(&link->in, bytes + taken, len) < 0) {
            link_refuse(link, "out of memory");
            break;
        }
        taken += len;
        if (!end)
            break;
        link_line(link, (const char *)buf_head(&link->in), buf_len(&link->in));
        buf_wipe(&link->in);
    }
    link_flush(link);
    return n;
}

static void link_ended(void *ctx) {
    struct link *link = ctx;
    link->over = true;
    link_flush(link);
}

static void link_resume(struct link *link) {
    if (!link->over && buf_len(&link->out) <= LINK_LINE_MAX)
        link->stream->ops->resume(link->stream);
}

static void link_writable(void *ctx) {
    struct link *link = ctx;
    link_flush(link);
    link_resume(link);
}

static void link_unhold(void *ctx) {
    link_resume(ctx);
}

uint64_t link_heard(const struct peer *peer) {
    uint64_t heard = ssh_conn_heard(peer->conn);
    const struct link *link = peer->link_session;
    return link->budget.held_at > heard ? link->budget.held_at : heard;
}

static void link_closed(void *ctx) {
    link_free(ctx);
}

static const struct stream_events link_events = {
    .data = link_data, .end = link_ended, .writable = link_writable, .closed = link_closed};

int link_begin(struct peer *peer, struct ssh_chan *chan, struct why *why) {
    if (!peer->machine)
        return SP_ECLOSED;
    if (peer->link_session) {
        why_set(why, "this connection has a link already");
        return SP_EEXIST;
    }
    struct link *link = calloc(1, sizeof *link);
    if (!link)
        return SP_ENOMEM;
    link->peer = peer;
    link->stream = ssh_chan_stream(chan);
    buf_init(&link->in);
    buf_init(&link->out);
    loop_task_init(peer->relay->loop, &link->finish, link_finish, link);
    loop_timer_init(peer->relay->loop, &link->held, link_unhold, link);
    link_budget_init(&link->budget, loop_now(peer->relay->loop));
    peer->link_session = link;
    stream_listen(link->stream, &link_events, link);
    return 0;
}
