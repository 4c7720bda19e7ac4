/* Who comes to the door: lines, deadlines, bounds. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "door_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/wire/socket_line.h"

enum { DRAINS_PER_TURN = 64 };

static void caller_hear(struct caller *caller);

/* Its socket is no more ours to close when it was taken. */
static void caller_free(struct caller *caller, bool taken) {
    int fd = caller->watch.fd;
    loop_fd_remove(&caller->watch);
    if (fd >= 0 && !taken)
        (void)close(fd);
    loop_timer_stop(&caller->timer);
    list_remove(&caller->link);
    list_remove(&caller->wait.link);
    buf_wipe(&caller->out);
    secret_wipe(caller->line, sizeof caller->line);
    caller->door->caller_count--;
    free(caller);
}

void caller_drop(struct caller *caller) {
    caller_free(caller, false);
}

int caller_take(struct caller *caller) {
    int fd = caller->watch.fd;
    caller_free(caller, true);
    return fd;
}

static void caller_late(void *ctx) {
    struct caller *caller = ctx;
    char text[128];
    if (list_is_empty(&caller->wait.link)) {
        caller_drop(caller);
        return;
    }
    (void)snprintf(text, sizeof text, "%s did not come within %d s", caller->wait.machine, WAIT_MS / 1000);
    log_info("%s waited at the door in vain: %s", caller->wait.user, text);
    caller_say(caller, false, text, true);
}

/* The next line has its own time, but all of them together have a bound. */
static int caller_limit(struct caller *caller) {
    uint64_t now = loop_now(caller->door->relay->loop);
    uint64_t left = caller->deadline > now ? caller->deadline - now : 0;
    return loop_timer_set(&caller->timer, left < DOOR_LINE_MS ? left : DOOR_LINE_MS);
}

/* Reads what nobody wants any more. */
static void caller_drain(struct caller *caller) {
    uint8_t bytes[4096];
    for (int i = 0; i < DRAINS_PER_TURN; i++) {
        ssize_t n = recv(caller->watch.fd, bytes, sizeof bytes, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            caller_drop(caller);
            return;
        }
    }
}

/* Closed with bytes unread, it would be reset, and the answer could get lost on its way. */
static void caller_part(struct caller *caller) {
    caller->over = true;
    if (shutdown(caller->watch.fd, SHUT_WR) < 0 || loop_timer_set(&caller->timer, OVER_MS) < 0 ||
        loop_fd_set(&caller->watch, EPOLLIN) < 0)
        caller_drop(caller);
    else
        caller_drain(caller);
}

/* Writes what the socket takes. True when all is written and the caller still there. */
static bool caller_flush(struct caller *caller) {
    while (buf_len(&caller->out)) {
        ssize_t n = send(caller->watch.fd, buf_head(&caller->out), buf_len(&caller->out), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN && loop_fd_set(&caller->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) == 0)
            return false;
        if (n < 0) {
            caller_drop(caller);
            return false;
        }
        buf_consume(&caller->out, (size_t)n);
    }
    if (!caller->leaving)
        return true;
    caller_part(caller);
    return false;
}

void caller_say(struct caller *caller, bool ok, const char *text, bool last) {
    list_remove(&caller->wait.link);
    caller->leaving = last;
    if (door_answer_format(&caller->out, ok, text) < 0 || caller_limit(caller) < 0)
        caller_drop(caller);
    else if (caller_flush(caller))
        caller_hear(caller);
}

int caller_wait(struct caller *caller) {
    int rc = loop_timer_set(&caller->timer, WAIT_MS);
    if (rc == 0)
        list_append(&caller->door->waiting, &caller->wait.link);
    return rc;
}

static void caller_ask(struct caller *caller, const struct door_line *line) {
    char argument[DOOR_LINE_MAX];
    memcpy(argument, line->argument, line->len);
    argument[line->len] = '\0';
    secret_wipe(caller->line, sizeof caller->line);
    caller->line_len = 0;
    switch (line->mode) {
    case DOOR_ASK:
        door_ask(caller, argument);
        break;
    case DOOR_RAW:
        door_raw(caller, argument);
        break;
    case DOOR_SERVE:
        door_serve(caller, argument);
        break;
    case DOOR_PUNCH:
        door_punch(caller, argument);
        break;
    case DOOR_KNOCK:
    case DOOR_PROVE:
    case DOOR_OTHER:
        caller_drop(caller);
    }
    secret_wipe(argument, sizeof argument);
}

/* Takes a line from the socket and not a byte behind it: that belongs to the service. */
static void caller_hear(struct caller *caller) {
    struct door_line line = {.mode = DOOR_OTHER, .argument = ""};
    size_t used;
    int rc = socket_line_read(caller->watch.fd, caller->line, sizeof caller->line, &caller->line_len);
    if (rc == 0 || rc == SP_EAGAIN) {
        int parsed = caller->line_len ? door_line_parse(caller->line, caller->line_len, &line, &used) : SP_EAGAIN;
        if (rc == SP_EAGAIN && parsed == SP_EAGAIN)
            return; /* the next byte is an edge */
        rc = parsed;
    }
    if (rc < 0 || ++caller->questions > DOOR_QUESTIONS)
        caller_drop(caller);
    else
        caller_ask(caller, &line);
}

/* One who waits may have gone; what he sent already is for the service. */
static bool caller_is_gone(const struct caller *caller, uint32_t events) {
    uint8_t byte;
    if (events & (EPOLLERR | EPOLLHUP))
        return true;
    return events & EPOLLRDHUP && recv(caller->watch.fd, &byte, 1, MSG_PEEK) <= 0;
}

static void caller_ready(void *ctx, uint32_t events) {
    struct caller *caller = ctx;
    if (!list_is_empty(&caller->wait.link)) {
        if (caller_is_gone(caller, events)) {
            log_info("%s did not wait for %s at the door", caller->wait.user, caller->wait.machine);
            caller_drop(caller);
        }
        return;
    }
    if (caller->over)
        caller_drain(caller);
    else if (caller_flush(caller))
        caller_hear(caller);
}

/* The newest are wanted: the oldest of those who have shown no ticket go first. */
static void door_make_room(struct door *door, const struct sockaddr_storage *neighbour) {
    struct list *node, *tmp;
    list_foreach (node, tmp, &door->callers) {
        struct caller *caller = list_item(node, struct caller, link);
        if (list_is_empty(&caller->wait.link) && (!neighbour || address_is_neighbour(&caller->address, neighbour))) {
            caller_drop(caller);
            return;
        }
    }
}

static size_t door_count_neighbours(struct door *door, const struct sockaddr_storage *address) {
    struct list *node, *tmp;
    size_t count = 0;
    list_foreach (node, tmp, &door->callers)
        count += address_is_neighbour(&list_item(node, struct caller, link)->address, address);
    return count;
}

void door_accept(struct door *door, int fd, const struct sockaddr_storage *address) {
    struct relay *relay = door->relay;
    if (door->caller_count >= DOOR_PER_ADDRESS && door_count_neighbours(door, address) >= DOOR_PER_ADDRESS)
        door_make_room(door, address);
    if (door->caller_count >= door->callers_max)
        door_make_room(door, NULL);
    struct caller *caller = door->caller_count < door->callers_max ? calloc(1, sizeof *caller) : NULL;
    if (!caller) {
        (void)close(fd);
        return;
    }
    caller->door = door;
    caller->address = *address;
    caller->deadline = loop_now(relay->loop) + DOOR_TOTAL_MS;
    os_address_text(address, caller->text);
    buf_init(&caller->out);
    list_init(&caller->wait.link);
    list_append(&door->callers, &caller->link);
    door->caller_count++;
    loop_fd_init(&caller->watch);
    loop_timer_init(relay->loop, &caller->timer, caller_late, caller);
    if (loop_fd_add(relay->loop, &caller->watch, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, caller_ready, caller) < 0) {
        (void)close(fd);
        caller_drop(caller);
    } else if (caller_limit(caller) < 0) {
        caller_drop(caller);
    }
}

int door_new(struct relay *relay, struct door **out) {
    struct door *door = calloc(1, sizeof *door);
    if (!door)
        return SP_ENOMEM;
    /* A caller is one descriptor, what is spliced six: together under half of all. */
    size_t most = os_raise_nofile() / 16;
    door->relay = relay;
    door->callers_max = relay->config->max_guests < most ? (size_t)relay->config->max_guests : most;
    door->spliced_max = most;
    list_init(&door->callers);
    list_init(&door->waiting);
    list_init(&door->spliced);
    *out = door;
    return 0;
}

void door_hang_up(struct door *door) {
    if (!door)
        return;
    while (!list_is_empty(&door->callers))
        caller_drop(list_item(door->callers.next, struct caller, link));
    spliced_hang_up(door);
}

void door_free(struct door *door) {
    free(door);
}
