#include "recognize_table.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "http_answer.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"

/* More names are only counted. */
#define MODELS_NAMED 8
#define MODELS_MAX 1000

bool app_answer_read(const char *text, size_t len, struct app_answer *out) {
    const char *body = NULL;
    unsigned status = http_answer_status(text, len, &body);
    if (status == 0)
        return false;
    *out = (struct app_answer){.status = status, .head = text, .body = body};
    out->head_len = (size_t)(body - text);
    out->body_len = len - out->head_len;
    return true;
}

static bool has_text(const struct app_answer *answer, const char *text) {
    return memmem(answer->head, answer->head_len + answer->body_len, text, strlen(text)) != NULL;
}

/* The object in the body of an answer with status 200 (the caller's); NULL when there is none. */
static json_t *read_object(const struct app_answer *answer) {
    json_t *object = answer->status == 200 ? json_loadb(answer->body, answer->body_len, 0, NULL) : NULL;
    if (json_is_object(object))
        return object;
    json_decref(object);
    return NULL;
}

static bool is_version(const char *text) {
    const char *figure = text[0] == 'v' ? text + 1 : text;
    return figure[0] >= '0' && figure[0] <= '9' && strcspn(text, " <>&\"'") == strlen(text);
}

static bool read_version(const json_t *object, const char *member, struct app_facts *facts) {
    char version[sizeof facts->version];
    if (!jsonline_text(object, member, version, sizeof version) || !is_version(version))
        return false;
    (void)str_copy(facts->version, sizeof facts->version, version[0] == 'v' ? version + 1 : version);
    return true;
}

/* A body of one short line. */
static bool read_line(const struct app_answer *answer, char *to, size_t size) {
    size_t len = answer->body_len;
    while (len > 0 && (answer->body[len - 1] == '\n' || answer->body[len - 1] == '\r'))
        len--;
    if (answer->status != 200 || len == 0 || len >= size || !str_is_clean(answer->body, len))
        return false;
    memcpy(to, answer->body, len);
    to[len] = '\0';
    return true;
}

static bool is_tensorboard(const struct app_answer *answer, struct app_facts *facts) {
    json_t *object = read_object(answer);
    bool good = json_is_string(json_object_get(object, "data_location"));
    if (good) {
        (void)read_version(object, "version", facts);
        (void)jsonline_text_cut(object, "data_location", facts->place, sizeof facts->place);
    }
    json_decref(object);
    return good;
}

static bool is_mlflow(const struct app_answer *answer, struct app_facts *facts) {
    char line[sizeof facts->version];
    if (!read_line(answer, line, sizeof line) || !is_version(line))
        return false;
    return str_copy(facts->version, sizeof facts->version, line) == 0;
}

static bool is_code_server(const struct app_answer *answer, struct app_facts *facts) {
    char state[16] = "";
    json_t *object = read_object(answer);
    (void)facts;
    (void)jsonline_text(object, "status", state, sizeof state);
    bool good = (strcmp(state, "alive") == 0 || strcmp(state, "expired") == 0) &&
                json_is_number(json_object_get(object, "lastHeartbeat"));
    json_decref(object);
    return good;
}

static bool is_ollama(const struct app_answer *answer, struct app_facts *facts) {
    char line[32];
    (void)facts;
    return read_line(answer, line, sizeof line) && strcmp(line, "Ollama is running") == 0;
}

/* `window.gradio_config = {"version":"4.44.0",...`, and an element of that name in what is drawn on the server. */
static bool is_gradio(const struct app_answer *answer, struct app_facts *facts) {
    static const char config[] = "gradio_config", version[] = "\"version\":\"";
    const char *end = answer->body + answer->body_len;
    const char *at = memmem(answer->body, answer->body_len, config, sizeof config - 1);
    char text[sizeof facts->version];
    if (answer->status != 200)
        return false;
    if (at == NULL)
        return memmem(answer->body, answer->body_len, "<gradio-app", 11) != NULL;
    size_t near = (size_t)(end - at) < 96 ? (size_t)(end - at) : 96;
    const char *begin = memmem(at, near, version, sizeof version - 1);
    if (begin == NULL)
        return true;
    begin += sizeof version - 1;
    size_t len = 0;
    while (begin + len < end && begin[len] != '"' && len < sizeof text - 1)
        len++;
    memcpy(text, begin, len);
    text[len] = '\0';
    if (is_version(text) && str_is_clean(text, len))
        (void)str_copy(facts->version, sizeof facts->version, text);
    return true;
}

static bool is_streamlit(const struct app_answer *answer, struct app_facts *facts) {
    char line[8];
    (void)facts;
    return read_line(answer, line, sizeof line) && strcmp(line, "ok") == 0;
}

static bool is_comfyui(const struct app_answer *answer, struct app_facts *facts) {
    json_t *object = read_object(answer);
    const json_t *system = json_object_get(object, "system");
    bool good = json_is_object(system) && json_is_array(json_object_get(object, "devices"));
    if (good)
        (void)read_version(system, "comfyui_version", facts);
    json_decref(object);
    return good;
}

static bool is_ray(const struct app_answer *answer, struct app_facts *facts) {
    json_t *object = read_object(answer);
    bool good = read_version(object, "ray_version", facts);
    json_decref(object);
    return good;
}

static bool is_triton(const struct app_answer *answer, struct app_facts *facts) {
    char name[16] = "";
    json_t *object = read_object(answer);
    (void)jsonline_text(object, "name", name, sizeof name);
    bool good = strcmp(name, "triton") == 0;
    if (good)
        (void)read_version(object, "version", facts);
    json_decref(object);
    return good;
}

/* Asked only where /v1/models wants a key: all that it tells without one. */
static bool is_locked_vllm(const struct app_answer *answer, struct app_facts *facts) {
    json_t *object = read_object(answer);
    bool good = json_object_size(object) == 1 && read_version(object, "version", facts);
    json_decref(object);
    return good;
}

/* Who made a server that speaks OpenAI's API, by what it says of its models' owner. */
static void name_owner(const json_t *model, struct app_facts *facts) {
    static const char *const owners[][3] = {
        {"vllm", "vllm", "vLLM"},
        {"llamacpp", "llama-cpp", "llama.cpp"},
        {"sglang", "sglang", "SGLang"},
        {"organization_owner", "lm-studio", "LM Studio"},
    };
    const char *owner = json_string_value(json_object_get(model, "owned_by"));
    for (size_t i = 0; owner != NULL && i < sizeof owners / sizeof *owners; i++) {
        if (strcmp(owner, owners[i][0]) == 0) {
            (void)str_copy(facts->name, sizeof facts->name, owners[i][1]);
            (void)str_copy(facts->title, sizeof facts->title, owners[i][2]);
        }
    }
}

/* The names of models, with commas, as far as they fit; how many more there are. */
static void join_models(const json_t *array, const char *member, char *to, size_t size) {
    size_t count = json_array_size(array), named = 0, used = 0;
    char text[sizeof((struct app_facts *)NULL)->models] = "";
    for (size_t i = 0; i < count && named < MODELS_NAMED; i++) {
        char name[64];
        if (!jsonline_text_cut(json_array_get(array, i), member, name, sizeof name) || name[0] == '\0')
            continue;
        if (used + strlen(name) + sizeof " and 1000 more" >= sizeof text)
            break;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used == 0 ? "" : ", ", name);
        named++;
    }
    if (named > 0 && named < count)
        (void)snprintf(text + used, sizeof text - used, " and %zu more", count - named);
    (void)str_copy(to, size, text);
}

/* OpenAI's {"object":"list","data":[{"id":...}]}, Ollama's {"models":[{"name":...}]}. */
static bool read_models(const json_t *object, struct app_facts *facts) {
    const json_t *data = json_object_get(object, "data");
    const json_t *list = json_is_array(data) ? data : json_object_get(object, "models");
    const char *member = json_is_array(data) ? "id" : "name";
    if (!json_is_array(list) || json_array_size(list) > MODELS_MAX)
        return false;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_string(json_object_get(json_array_get(list, i), member)))
            return false;
    join_models(list, member, facts->models, sizeof facts->models);
    return true;
}

static bool is_openai(const struct app_answer *answer, struct app_facts *facts) {
    char kind[8] = "";
    json_t *object = read_object(answer);
    (void)jsonline_text(object, "object", kind, sizeof kind);
    bool good =
        strcmp(kind, "list") == 0 && json_is_array(json_object_get(object, "data")) && read_models(object, facts);
    if (good)
        name_owner(json_array_get(json_object_get(object, "data"), 0), facts);
    json_decref(object);
    return good;
}

enum { TENSORBOARD, MLFLOW, CODE_SERVER, OLLAMA, COMFYUI, GRADIO, STREAMLIT, RAY, TRITON, OPENAI, LOCKED_VLLM };

const struct application app_table[APPLICATIONS] = {
    [TENSORBOARD] = {.name = "tensorboard",
                     .title = "TensorBoard",
                     .hints = {"<title>TensorBoard"},
                     .ports = {6006, 6007, 6008},
                     .path = "/data/environment",
                     .is = is_tensorboard},
    [MLFLOW] = {.name = "mlflow", .title = "MLflow", .hints = {"<title>MLflow"}, .path = "/version", .is = is_mlflow},
    [CODE_SERVER] = {.name = "code-server",
                     .title = "code-server",
                     .hints = {"ocation: ./", "codeServerVersion"}, /* it leads to its login by a relative address */
                     .ports = {8080, 8443},
                     .path = "/healthz",
                     .is = is_code_server},
    [OLLAMA] = {.name = "ollama", .title = "Ollama", .next = "/api/version", .models = "/api/ps", .is = is_ollama},
    [COMFYUI] = {.name = "comfyui",
                 .title = "ComfyUI",
                 .hints = {"<title>ComfyUI"},
                 .ports = {8188},
                 .path = "/system_stats",
                 .is = is_comfyui},
    [GRADIO] = {.name = "gradio", .title = "Gradio", .is = is_gradio},
    [STREAMLIT] = {.name = "streamlit",
                   .title = "Streamlit",
                   .hints = {"<title>Streamlit"},
                   .path = "/_stcore/health",
                   .is = is_streamlit},
    [RAY] =
        {.name = "ray", .title = "Ray", .hints = {"<title>Ray"}, .ports = {8265}, .path = "/api/version", .is = is_ray},
    [TRITON] = {.name = "triton", .title = "Triton", .anywhere = true, .path = "/v2", .is = is_triton},
    [OPENAI] = {.name = "openai",
                .title = "OpenAI-compatible server",
                .hints = {"llama.cpp"},
                .anywhere = true,
                .path = "/v1/models",
                .next = "/version",
                .models = "/v1/models",
                .is = is_openai},
    [LOCKED_VLLM] = {.name = "vllm", .title = "vLLM", .path = "/version", .is = is_locked_vllm},
};

static void begin_facts(size_t row, struct app_facts *facts) {
    *facts = (struct app_facts){.name = ""};
    (void)str_copy(facts->name, sizeof facts->name, app_table[row].name);
    (void)str_copy(facts->title, sizeof facts->title, app_table[row].title);
}

size_t app_of_page(const struct app_answer *page, struct app_facts *facts) {
    for (size_t row = 0; row < APPLICATIONS; row++) {
        struct app_facts said;
        begin_facts(row, &said);
        if (app_table[row].path == NULL && app_table[row].is(page, &said)) {
            *facts = said;
            return row;
        }
    }
    return APPLICATIONS;
}

void app_candidates(const struct app_answer *page, uint16_t port, uint32_t *hinted, uint32_t *others) {
    *hinted = 0;
    *others = 0;
    for (size_t row = 0; row < APPLICATIONS; row++) {
        const struct application *app = &app_table[row];
        bool usual = app->anywhere;
        for (size_t i = 0; i < sizeof app->ports / sizeof *app->ports; i++)
            usual = usual || app->ports[i] == port;
        if (app->path == NULL)
            continue;
        if ((app->hints[0] != NULL && has_text(page, app->hints[0])) ||
            (app->hints[1] != NULL && has_text(page, app->hints[1])))
            *hinted |= UINT32_C(1) << row;
        else if (usual)
            *others |= UINT32_C(1) << row;
    }
}

bool app_is(size_t row, const struct app_answer *answer, struct app_facts *facts, bool *locked) {
    struct app_facts said;
    begin_facts(row, &said);
    *locked = app_table[row].models != NULL && (answer->status == 401 || answer->status == 403);
    if (!app_table[row].is(answer, &said))
        return false;
    *facts = said;
    return true;
}

size_t app_of_locked(void) {
    return LOCKED_VLLM;
}

bool app_read_version(const struct app_answer *answer, struct app_facts *facts) {
    json_t *object = read_object(answer);
    bool good = read_version(object, "version", facts);
    json_decref(object);
    return good;
}

bool app_read_models(const struct app_answer *answer, struct app_facts *facts) {
    json_t *object = read_object(answer);
    bool good = read_models(object, facts);
    json_decref(object);
    return good;
}

void app_detail(const struct app_facts *facts, const char *process, char *to, size_t size) {
    char text[512];
    bool named = process[0] != '\0' && strcmp(process, facts->name) != 0;
    int n = snprintf(text, sizeof text, "%s%s%s%s%s%s%s%s%s%s", facts->title, facts->version[0] == '\0' ? "" : " ",
                     facts->version, named ? " (" : "", named ? process : "", named ? ")" : "",
                     facts->place[0] == '\0' ? "" : ", ", facts->place, facts->models[0] == '\0' ? "" : ": ",
                     facts->models);
    size_t len = n < 0 ? 0 : str_cut(text, (size_t)n, size - 1);
    memcpy(to, text, len);
    to[len] = '\0';
}
