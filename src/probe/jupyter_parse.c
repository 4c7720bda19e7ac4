#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "http_answer.h"
#include "sallyport/base/err.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/probe/jupyter.h"

/* Copies a member that is clean text and fits; else leaves `to` empty. */
static void copy_text(const json_t *object, const char *key, char *to, size_t size) {
    const json_t *member = json_object_get(object, key);
    if (!json_is_string(member) || !str_is_clean(json_string_value(member), json_string_length(member)))
        return;
    (void)str_copy(to, size, json_string_value(member));
}

static void wipe_text(const json_t *object, const char *key) {
    const json_t *member = json_object_get(object, key);
    /* jansson's own copy, about to be freed: it gives no other way in than past the const */
    if (json_is_string(member))
        secret_wipe((void *)(uintptr_t)json_string_value(member), json_string_length(member));
}

/* Only what may stand in a URL as it is; and always a folder, "/lab/" for "/lab" too. */
static bool copy_base_url(const char *url, size_t len, char *to, size_t size) {
    if (len == 0 || url[0] != '/' || len + 2 > size)
        return false;
    for (size_t i = 0; i < len; i++)
        if (url[i] <= ' ' || url[i] > '~' || strchr("\"'<>\\^`{|}?#;,", url[i]) != NULL)
            return false;
    memcpy(to, url, len);
    if (to[len - 1] != '/')
        to[len++] = '/';
    to[len] = '\0';
    return true;
}

int jupyter_parse_runtime(const char *text, size_t len, struct jupyter_server *out) {
    struct jupyter_server server = {0};
    int rc = SP_EFORMAT;
    json_t *object = json_loadb(text, len, 0, NULL);
    if (object == NULL)
        return rc;

    json_int_t port = json_integer_value(json_object_get(object, "port"));
    json_int_t pid = json_integer_value(json_object_get(object, "pid"));
    if (!json_is_object(object) || port < 1 || port > UINT16_MAX || pid < 1 || pid > INT32_MAX)
        goto out;
    const char *url = json_string_value(json_object_get(object, "base_url"));
    if (url == NULL)
        url = "/";
    if (!copy_base_url(url, strlen(url), server.base_url, sizeof server.base_url))
        goto out;
    copy_text(object, "version", server.version, sizeof server.version);
    server.listener.port = (uint16_t)port;
    server.pid = (pid_t)pid;
    server.secure = json_is_true(json_object_get(object, "secure"));
    copy_text(object, "root_dir", server.root_dir, sizeof server.root_dir);
    if (server.root_dir[0] == '\0')
        copy_text(object, "notebook_dir", server.root_dir, sizeof server.root_dir);
    copy_text(object, "token", server.token, sizeof server.token);
    *out = server;
    rc = 0;
out:
    wipe_text(object, "token");
    wipe_text(object, "url");
    json_decref(object);
    secret_wipe(server.token, sizeof server.token);
    return rc;
}

int jupyter_parse_api(const char *answer, size_t len, char version[static 32]) {
    char found[32] = "";
    const char *body;
    if (http_answer_status(answer, len, &body) != 200)
        return SP_EFORMAT;
    json_t *object = json_loadb(body, len - (size_t)(body - answer), 0, NULL);
    copy_text(object, "version", found, sizeof found);
    json_decref(object);
    /* "1.23.3", "6.4.12" */
    if (found[0] < '0' || found[0] > '9')
        return SP_EFORMAT;
    return str_copy(version, 32, found);
}

int jupyter_parse_elsewhere(const char *answer, size_t len, char *base_url, size_t size) {
    static const char before[] = "report-uri /", after[] = "/api/security/csp-report";
    const char *body;
    if (http_answer_status(answer, len, &body) != 404)
        return SP_EFORMAT;
    const char *begin = memmem(answer, (size_t)(body - answer), before, sizeof before - 1);
    if (begin == NULL)
        return SP_EFORMAT;
    begin += sizeof before - 2; /* the path's own '/' belongs to it */
    const char *end = memmem(begin, (size_t)(body - begin), after, sizeof after - 1);
    if (end == NULL || !copy_base_url(begin, (size_t)(end - begin), base_url, size))
        return SP_EFORMAT;
    return 0;
}

/* By name; equal names in an order that does not change from one answer to the next. */
static int compare_notebooks(const struct notebook *a, const struct notebook *b) {
    int order = strcmp(a->name, b->name);
    if (order == 0)
        order = strcmp(a->kernel, b->kernel);
    return order != 0 ? order : (int)b->busy - (int)a->busy;
}

/* Into its place; the last one drops out when there is no room. */
static void insert_notebook(struct notebooks *notebooks, const struct notebook *notebook) {
    size_t at = notebooks->listed;
    while (at > 0 && compare_notebooks(notebook, &notebooks->list[at - 1]) < 0)
        at--;
    if (at == NOTEBOOKS_MAX)
        return;
    if (notebooks->listed < NOTEBOOKS_MAX)
        notebooks->listed++;
    memmove(&notebooks->list[at + 1], &notebooks->list[at], (notebooks->listed - at - 1) * sizeof notebooks->list[0]);
    notebooks->list[at] = *notebook;
}

/* Its file's path; a console has none but a name that was made for people. */
static const char *session_path(const json_t *session) {
    const char *path = json_string_value(json_object_get(session, "path"));
    const char *type = json_string_value(json_object_get(session, "type"));
    const char *name = json_string_value(json_object_get(session, "name"));
    bool is_console = type != NULL && strcmp(type, "console") == 0;
    if (name != NULL && name[0] != '\0' && (is_console || path == NULL))
        return name;
    return path == NULL ? "" : path;
}

static void read_kernel(const json_t *kernel, const char *path, struct jupyter_kernels *kernels) {
    struct jupyter_kernel *place = &kernels->items[kernels->count];
    const char *id = json_string_value(json_object_get(kernel, "id"));
    if (kernels->count == JUPYTER_KERNELS_MAX || id == NULL || strlen(id) != sizeof place->id - 1 ||
        id[strspn(id, "0123456789abcdef-")] != '\0')
        return;
    memcpy(place->id, id, sizeof place->id);
    size_t len = str_cut(path, strlen(path), sizeof place->path - 1);
    memcpy(place->path, path, len);
    place->path[len] = '\0';
    kernels->count++;
}

static void read_session(const json_t *session, struct notebooks *notebooks, struct jupyter_kernels *kernels) {
    struct notebook notebook = {.name = ""};
    const json_t *kernel = json_object_get(session, "kernel");
    const char *state = json_string_value(json_object_get(kernel, "execution_state"));
    const char *path = session_path(session), *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    size_t len = strlen(name);
    notebooks->count++;
    if (len == 0 || !str_is_clean(path, strlen(path)))
        return;
    read_kernel(kernel, path, kernels);
    memcpy(notebook.name, name, str_cut(name, len, sizeof notebook.name - 1));
    copy_text(kernel, "name", notebook.kernel, sizeof notebook.kernel);
    notebook.busy = state != NULL && strcmp(state, "busy") == 0;
    insert_notebook(notebooks, &notebook);
}

int jupyter_parse_sessions(const char *answer, size_t len, struct notebooks *out, struct jupyter_kernels *kernels) {
    struct notebooks notebooks = {.known = true};
    struct jupyter_kernels found = {.count = 0};
    const char *body;
    unsigned status = http_answer_status(answer, len, &body);
    if (status != 200)
        return status >= 300 && status < 500 ? SP_EDENIED : SP_EFORMAT;
    json_t *array = json_loadb(body, len - (size_t)(body - answer), 0, NULL);
    bool good = json_is_array(array) && json_array_size(array) <= NOTEBOOK_COUNT_MAX;
    for (size_t i = 0; good && i < json_array_size(array); i++) {
        const json_t *session = json_array_get(array, i);
        good = json_is_object(session);
        if (good)
            read_session(session, &notebooks, &found);
    }
    json_decref(array);
    if (!good)
        return SP_EFORMAT;
    *out = notebooks;
    if (kernels != NULL)
        *kernels = found;
    return 0;
}
