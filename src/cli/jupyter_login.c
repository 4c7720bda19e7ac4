#include "jupyter_login.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/wire/http_head.h"

enum { LIST_MAX = 262144, LIST_MS = 60000, ANSWER_MS = 20000, COOKIE_MAX = 4096 };

/* Read by `sh -s`, so that nothing has to be quoted for whatever shell the user has there. What his login prints comes
 * before the first line. A file is left behind by a server that was killed: its process is looked for. */
static const char script[] = "printf '\\n--\\n'\n"
                             "for dir in \"$JUPYTER_RUNTIME_DIR\" \"${JUPYTER_DATA_DIR:-/nowhere}/runtime\" "
                             "\"${XDG_DATA_HOME:-/nowhere}/jupyter/runtime\" \"$HOME/.local/share/jupyter/runtime\" "
                             "\"$HOME/Library/Jupyter/runtime\"; do\n"
                             "  for file in \"$dir\"/jpserver-*.json \"$dir\"/nbserver-*.json; do\n"
                             "    [ -f \"$file\" ] && [ -O \"$file\" ] || continue\n"
                             "    pid=${file##*-}\n"
                             "    kill -0 \"${pid%.json}\" 2>/dev/null || continue\n"
                             "    head -c 65536 \"$file\" && printf '\\n--\\n'\n"
                             "  done\n"
                             "done\n";

/* Can it stand in a request and in an address as it is, and is it a folder? */
static bool is_base_url(const char *url) {
    size_t len = strlen(url);
    for (const char *at = url; *at; at++)
        if (*at <= ' ' || *at > '~' || strchr("\"'<>\\^`{|}?#;,", *at))
            return false;
    return len > 0 && url[0] == '/' && url[1] != '/' && url[len - 1] == '/';
}

static bool read_found(const json_t *object, uint16_t port, struct jupyter_found *out) {
    int64_t own;
    *out = (struct jupyter_found){.secure = json_is_true(json_object_get(object, "secure"))};
    if (!jsonline_integer(object, "port", port, port, &own) ||
        !jsonline_text(object, "base_url", out->base_url, sizeof out->base_url) || !is_base_url(out->base_url))
        return false;
    return jsonline_text(object, "token", out->token, sizeof out->token) &&
           (!out->token[0] || !strpbrk(out->token, " \t"));
}

static void parse_one(const char *text, size_t len, uint16_t port, struct jupyter_list *out) {
    struct jupyter_found found;
    json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(object) && out->count < JUPYTER_FOUND_MAX && read_found(object, port, &found))
        out->items[out->count++] = found;
    json_decref(object);
    secret_wipe(&found, sizeof found);
}

void jupyter_list_parse(const char *text, size_t len, uint16_t port, struct jupyter_list *out) {
    static const char end[] = "\n--\n";
    const char *stop = text + len, *at = text, *mark;
    *out = (struct jupyter_list){.count = 0};
    while (at < stop && (mark = memmem(at, (size_t)(stop - at), end, sizeof end - 1))) {
        parse_one(at, (size_t)(mark - at), port, out);
        at = mark + sizeof end - 1;
    }
}

int jupyter_list_get(const struct cli *cli, const char *box, uint16_t port, struct jupyter_list *out, struct why *why) {
    struct words words;
    struct buf text;
    int status = 0;
    struct process_talk talk = {
        .input = script, .n = sizeof script - 1, .out = &text, .max = LIST_MAX, .deadline_ms = LIST_MS};
    int rc = box_learn_keys(cli, box, why);
    if (rc)
        return rc;
    words_init(&words);
    buf_init(&text);
    box_argv(cli, &words, box);
    for (const char *const *word = (const char *const[]){"-T", "-a", "-x", "-o", "BatchMode=yes", "-o",
                                                         "RemoteCommand=none", "-o", "ClearAllForwardings=yes", NULL};
         *word; word++)
        words_add(&words, *word);
    words_add(&words, box);
    words_add(&words, "exec sh -s");
    rc = words.rc ? words.rc : process_talk(&words, &talk, &status);
    if (!rc && status != 0)
        rc = SP_EDENIED;
    if (rc)
        why_set(why, "no login on %s by ssh", box);
    else
        jupyter_list_parse((const char *)buf_head(&text), buf_len(&text), port, out);
    buf_wipe(&text);
    words_fini(&words);
    return rc;
}

int jupyter_login_answer(const uint8_t *answer, size_t n, struct buf *fields) {
    struct http_head head;
    size_t head_len, cookies = 0;
    int rc = http_response_parse(answer, n, false, false, &head, &head_len, NULL);
    if (rc)
        return rc;
    if (head.status != 200)
        return head.status == 401 || head.status == 403 || head.status / 100 == 3 ? SP_EDENIED : SP_EFORMAT;
    for (size_t i = 0; !rc && i < head.field_count; i++) {
        const struct http_field *field = &head.fields[i];
        if (!http_text_is(field->name, "Set-Cookie") || field->value.len > COOKIE_MAX)
            continue;
        if (++cookies > JUPYTER_COOKIES_MAX)
            return SP_ETOOBIG;
        rc = buf_printf(fields, "Set-Cookie: %.*s\r\n", (int)field->value.len, field->value.at);
    }
    return rc;
}

/* Reads until the head is whole; what its parser says of it. */
static int read_answer(int fd, struct buf *fields) {
    uint64_t end = os_monotonic_ms() + ANSWER_MS;
    uint8_t *answer = malloc(HTTP_HEAD_MAX);
    size_t n = 0;
    int rc = answer ? SP_EAGAIN : SP_ENOMEM;
    while (rc == SP_EAGAIN) {
        ssize_t got = recv(fd, answer + n, HTTP_HEAD_MAX - n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        n += got > 0 ? (size_t)got : 0;
        if (got <= 0)
            rc = got < 0 ? SP_ETIMEOUT : SP_ECLOSED;
        else if (os_monotonic_ms() > end)
            rc = SP_ETIMEOUT;
        else
            rc = jupyter_login_answer(answer, n, fields);
    }
    if (answer)
        secret_wipe(answer, n);
    free(answer);
    return rc;
}

int jupyter_login(const struct jupyter_found *found, uint16_t port, struct buf *fields) {
    struct buf request;
    int fd, rc = loopback_dial(port, ANSWER_MS / 1000, &fd);
    if (rc)
        return rc;
    buf_init(&request);
    /* Every server has this page, no cell runs for it, and it is for those who are known only. */
    rc = buf_printf(&request,
                    "GET %sapi/status HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: token %s\r\n"
                    "Accept: application/json\r\nConnection: close\r\n\r\n",
                    found->base_url, (unsigned)port, found->token);
    if (!rc && send(fd, buf_head(&request), buf_len(&request), 0) != (ssize_t)buf_len(&request))
        rc = SP_ECLOSED;
    if (!rc)
        rc = read_answer(fd, fields);
    buf_wipe(&request);
    (void)close(fd);
    return rc;
}
