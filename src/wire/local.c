#include "sallyport/wire/local.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sallyport/base/list.h"
#include "sallyport/base/log.h"
#include "sallyport/base/str.h"

enum { LINE_MAX_BYTES = 1 << 20, CALLERS_MAX = 32, WORDS_MAX = 64, CALLER_MS = 30000 };

struct local_server {
    struct loop *loop;
    struct loop_fd watch;
    struct list callers;
    size_t count;
    struct local_handler handler;
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

struct caller {
    struct local_server *server;
    struct loop_fd watch;
    struct loop_timer deadline;
    struct list link;
    struct buf in, out;
    bool answered;
};

static void caller_free(struct caller *caller) {
    int fd = caller->watch.fd;
    loop_fd_remove(&caller->watch);
    (void)close(fd);
    loop_timer_stop(&caller->deadline);
    list_remove(&caller->link);
    caller->server->count--;
    buf_wipe(&caller->in);
    buf_wipe(&caller->out);
    free(caller);
}

static void caller_late(void *ctx) {
    caller_free(ctx);
}

static int answer_format(struct buf *to, struct buf *out, struct buf *err, int status) {
    json_t *answer = json_pack("{s:s%,s:s%,s:i}", "output", buf_string(out), buf_len(out), "error", buf_string(err),
                               buf_len(err), "exit", status);
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_decref(answer);
    if (!text)
        return SP_ENOMEM;
    int rc = buf_printf(to, "%s\n", text);
    free(text);
    return rc;
}

/* The words of a request, borrowed from it; false when it is not one. */
static bool request_words(json_t *request, char **words, size_t *count) {
    json_t *list = json_object_get(request, "args");
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > WORDS_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        const char *word = json_string_value(json_array_get(list, i));
        if (!word)
            return false;
        words[i] = strdup(word);
        if (!words[i])
            return false;
        *count = i + 1;
    }
    return true;
}

static void caller_answer(struct caller *caller, size_t len) {
    struct local_server *server = caller->server;
    char *words[WORDS_MAX];
    size_t count = 0;
    struct buf out, err;
    buf_init(&out);
    buf_init(&err);
    int status = 2;
    json_t *request = json_loadb((const char *)buf_head(&caller->in), len, 0, NULL);
    if (request && request_words(request, words, &count)) {
        json_t *input = json_object_get(request, "input");
        status = server->handler.run(server->handler.ctx, words, count, json_string_value(input),
                                     json_string_length(input), &out, &err);
    } else {
        (void)buf_printf(&err, "not a request\n");
    }
    if (answer_format(&caller->out, &out, &err, status) < 0)
        (void)buf_printf(&caller->out, "{\"output\":\"\",\"error\":\"out of memory\\n\",\"exit\":1}\n");
    caller->answered = true;
    while (count)
        free(words[--count]);
    json_decref(request);
    buf_wipe(&out);
    buf_wipe(&err);
}

static void caller_ready(void *ctx, uint32_t events) {
    struct caller *caller = ctx;
    if (!caller->answered && (events & (EPOLLIN | EPOLLHUP))) {
        uint8_t *tail;
        if (buf_reserve(&caller->in, 16384, &tail) < 0)
            goto drop;
        ssize_t n = recv(caller->watch.fd, tail, 16384, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0)
            goto drop;
        buf_commit(&caller->in, (size_t)n);
        const uint8_t *end = memchr(buf_head(&caller->in), '\n', buf_len(&caller->in));
        if (!end && buf_len(&caller->in) > LINE_MAX_BYTES)
            goto drop;
        if (!end)
            return;
        caller_answer(caller, (size_t)(end - buf_head(&caller->in)));
        if (loop_fd_set(&caller->watch, EPOLLOUT) < 0)
            goto drop;
    }
    if (!caller->answered)
        return;
    ssize_t n = send(caller->watch.fd, buf_head(&caller->out), buf_len(&caller->out), MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0)
        goto drop;
    buf_consume(&caller->out, (size_t)n);
    if (buf_len(&caller->out))
        return;
drop:
    caller_free(caller);
}

static void server_ready(void *ctx, uint32_t events) {
    (void)events;
    struct local_server *server = ctx;
    int fd = accept4(server->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct caller *caller = server->count < CALLERS_MAX ? calloc(1, sizeof *caller) : NULL;
    if (!caller) {
        (void)close(fd);
        return;
    }
    caller->server = server;
    loop_fd_init(&caller->watch);
    loop_timer_init(server->loop, &caller->deadline, caller_late, caller);
    if (loop_fd_add(server->loop, &caller->watch, fd, EPOLLIN, caller_ready, caller) < 0) {
        (void)close(fd);
        free(caller);
        return;
    }
    list_append(&server->callers, &caller->link);
    server->count++;
    (void)loop_timer_set(&caller->deadline, CALLER_MS);
}

static int local_address(const char *path, struct sockaddr_un *address, struct why *why) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (str_copy(address->sun_path, sizeof address->sun_path, path) == 0)
        return 0;
    why_set(why, "the path %s is too long for a socket (107 characters): use a shorter --state folder", path);
    return SP_ETOOBIG;
}

int local_server_new(struct loop *loop, const char *path, const struct local_handler *handler,
                     struct local_server **out, struct why *why) {
    struct sockaddr_un address;
    int rc = local_address(path, &address, why);
    if (rc < 0)
        return rc;
    struct local_server *server = calloc(1, sizeof *server);
    if (!server)
        return SP_ENOMEM;
    server->loop = loop;
    server->handler = *handler;
    list_init(&server->callers);
    loop_fd_init(&server->watch);
    (void)str_copy(server->path, sizeof server->path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        goto fail;
    (void)unlink(path);
    mode_t mask = umask(0177);
    rc = bind(fd, (const struct sockaddr *)&address, sizeof address);
    (void)umask(mask);
    if (rc < 0 || listen(fd, CALLERS_MAX) < 0)
        goto fail;
    if (loop_fd_add(loop, &server->watch, fd, EPOLLIN, server_ready, server) < 0)
        goto fail;
    *out = server;
    return 0;
fail:
    why_set(why, "cannot listen at %s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    free(server);
    return SP_ESYS;
}

void local_server_free(struct local_server *server) {
    if (!server)
        return;
    while (!list_is_empty(&server->callers))
        caller_free(list_item(server->callers.next, struct caller, link));
    int fd = server->watch.fd;
    loop_fd_remove(&server->watch);
    (void)close(fd);
    (void)unlink(server->path);
    free(server);
}

static int call_send(int fd, char *const *words, size_t count, const char *input, size_t input_len) {
    json_t *args = json_array();
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(args, json_string(words[i])) < 0) {
            json_decref(args);
            return SP_EFORMAT;
        }
    json_t *request = json_pack("{s:o,s:s%}", "args", args, "input", input ? input : "", input ? input_len : 0);
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    if (!text)
        return SP_EFORMAT;
    struct buf line;
    buf_init(&line);
    int rc = buf_printf(&line, "%s\n", text);
    free(text);
    while (rc == 0 && buf_len(&line)) {
        ssize_t n = send(fd, buf_head(&line), buf_len(&line), MSG_NOSIGNAL);
        if (n < 0)
            rc = errno == EAGAIN ? SP_ETIMEOUT : SP_ECLOSED;
        else
            buf_consume(&line, (size_t)n);
    }
    buf_wipe(&line);
    return rc;
}

static int call_receive(int fd, struct buf *in) {
    for (;;) {
        uint8_t *tail;
        int rc = buf_reserve(in, 16384, &tail);
        if (rc < 0)
            return rc;
        ssize_t n = recv(fd, tail, 16384, 0);
        if (n < 0)
            return errno == EAGAIN ? SP_ETIMEOUT : SP_ECLOSED;
        if (n == 0)
            return buf_len(in) ? 0 : SP_ECLOSED;
        buf_commit(in, (size_t)n);
        if (buf_len(in) > 64u * LINE_MAX_BYTES)
            return SP_ETOOBIG;
    }
}

int local_call(const char *path, char *const *words, size_t count, const char *input, size_t input_len, struct buf *out,
               struct buf *err, int *exit_status, struct why *why) {
    struct sockaddr_un address;
    int rc = local_address(path, &address, why);
    if (rc < 0)
        return rc;
    struct buf in;
    buf_init(&in);
    json_t *answer = NULL;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = CALLER_MS / 1000};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        rc = errno == ENOENT || errno == ECONNREFUSED ? SP_ENOENT : errno == EAGAIN ? SP_ETIMEOUT : SP_ESYS;
        why_set(why, "nobody answers at %s (%s): is the daemon running, and with this --state folder?", path,
                strerror(errno));
        goto out;
    }
    rc = call_send(fd, words, count, input, input_len);
    if (rc == 0)
        rc = call_receive(fd, &in);
    if (rc < 0) {
        why_set(why, "the daemon at %s did not answer: %s", path, err_text(rc));
        goto out;
    }
    answer = json_loadb((const char *)buf_head(&in), buf_len(&in), 0, NULL);
    json_t *output = json_object_get(answer, "output"), *error = json_object_get(answer, "error");
    json_t *status = json_object_get(answer, "exit");
    rc = SP_EFORMAT;
    if (json_is_string(output) && json_is_string(error) && json_is_integer(status)) {
        rc = buf_append(out, json_string_value(output), json_string_length(output));
        if (rc == 0)
            rc = buf_append(err, json_string_value(error), json_string_length(error));
        *exit_status = (int)json_integer_value(status);
    } else {
        why_set(why, "the daemon at %s gave no sensible answer", path);
    }
out:
    json_decref(answer);
    buf_wipe(&in);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}
