/* What applications answer, and how it reads; what only looks like it. */
#include "fixture.h"

#include <stdbool.h>

#include "recognize_table.h"
#include "sallyport/base/str.h"

#define OK "HTTP/1.1 200 OK\r\nServer: uvicorn\r\n\r\n"

static struct app_answer answer_of(const char *text) {
    struct app_answer answer;
    assert_true(app_answer_read(text, strlen(text), &answer));
    return answer;
}

static size_t row_of(const char *name) {
    for (size_t row = 0; row < APPLICATIONS; row++)
        if (strcmp(app_table[row].name, name) == 0)
            return row;
    fail_msg("no %s", name);
    return APPLICATIONS;
}

/* The detail that comes of this answer to the row's question; "" when it is not that application. */
static const char *told(const char *name, const char *text) {
    static char detail[128];
    struct app_facts facts;
    struct app_answer answer = answer_of(text);
    bool locked, is = false;
    size_t row = row_of(name);
    if (app_table[row].path == NULL)
        is = app_of_page(&answer, &facts) == row;
    else
        is = app_is(row, &answer, &facts, &locked);
    detail[0] = '\0';
    if (is)
        app_detail(&facts, "", detail, sizeof detail);
    return detail;
}

static void those_that_are_known(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"tensorboard", OK "{\"version\":\"2.15.1\",\"data_location\":\"/logs\",\"window_title\":\"\"}",
         "TensorBoard 2.15.1, /logs"},
        {"tensorboard", OK "{\"data_location\":\"\"}", "TensorBoard"},
        {"mlflow", OK "2.9.2", "MLflow 2.9.2"},
        {"mlflow", OK "2.9.2\n", "MLflow 2.9.2"},
        {"code-server", OK "{\"status\":\"expired\",\"lastHeartbeat\":1700000000000}", "code-server"},
        {"ollama", OK "Ollama is running", "Ollama"},
        {"comfyui", OK "{\"system\":{\"comfyui_version\":\"v0.3.10\"},\"devices\":[]}", "ComfyUI 0.3.10"},
        {"gradio", OK "<script>window.gradio_config = {\"version\":\"4.44.0\",\"mode\":\"blocks\"}", "Gradio 4.44.0"},
        {"gradio", OK "<script>window.gradio_config = {\"auth_required\":true}</script>", "Gradio"},
        {"gradio", OK "<body><gradio-app></gradio-app>", "Gradio"},
        {"gradio", OK "gradio_config = {\"version\":\"4", "Gradio 4"},
        {"gradio", OK "gradio_config = {\"version\":\"<b>\"}", "Gradio"},
        {"streamlit", OK "ok", "Streamlit"},
        {"ray", OK "{\"version\":\"4\",\"ray_version\":\"2.9.0\",\"ray_commit\":\"9be5\"}", "Ray 2.9.0"},
        {"triton", OK "{\"name\":\"triton\",\"version\":\"2.42.0\",\"extensions\":[]}", "Triton 2.42.0"},
        {"openai", OK "{\"object\":\"list\",\"data\":[{\"id\":\"m\",\"owned_by\":\"vllm\"}]}", "vLLM: m"},
        {"openai", OK "{\"object\":\"list\",\"data\":[{\"id\":\"m.gguf\",\"owned_by\":\"llamacpp\"}]}",
         "llama.cpp: m.gguf"},
        {"openai", OK "{\"object\":\"list\",\"data\":[{\"id\":\"a\"},{\"id\":\"b\",\"owned_by\":\"vllm\"}]}",
         "OpenAI-compatible server: a, b"},
        {"openai", OK "{\"object\":\"list\",\"data\":[]}", "OpenAI-compatible server"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(told(cases[i][0], cases[i][1]), cases[i][2]);
}

static void those_that_only_look_so(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"tensorboard", OK "{\"version\":\"2.15.1\"}"},
        {"tensorboard", OK "{\"data_location\":7}"},
        {"tensorboard", OK "[{\"data_location\":\"/logs\"}]"},
        {"tensorboard", "HTTP/1.1 404 Not Found\r\n\r\n{\"data_location\":\"/logs\"}"},
        {"tensorboard", OK "{\"data_location\":\"/logs\""},
        {"tensorboard", OK},
        {"mlflow", OK "<html>2.9.2</html>"},
        {"mlflow", OK "2.9.2<b>"},
        {"mlflow", OK "a version that is longer than versions are"},
        {"code-server", OK "{\"status\":\"alive\"}"},
        {"code-server", OK "{\"status\":\"ok\",\"lastHeartbeat\":1}"},
        {"ollama", OK "Ollama is running late"},
        {"ollama", "HTTP/1.1 500 No\r\n\r\nOllama is running"},
        {"comfyui", OK "{\"system\":[],\"devices\":[]}"},
        {"comfyui", OK "{\"system\":{},\"devices\":{}}"},
        {"gradio", "HTTP/1.1 404 Not Found\r\n\r\ngradio_config"},
        {"gradio", "HTTP/1.1 200 OK\r\nX-A: gradio_config\r\n\r\n"},
        {"streamlit", OK "<title>Streamlit</title>"},
        {"ray", OK "{\"version\":\"4\"}"},
        {"ray", OK "{\"ray_version\":2.9}"},
        {"triton", OK "{\"name\":\"tritonic\"}"},
        {"triton", OK "{\"name\":[\"triton\"]}"},
        {"openai", OK "{\"data\":[{\"id\":\"m\"}]}"},
        {"openai", OK "{\"object\":\"list\",\"data\":{\"id\":\"m\"}}"},
        {"openai", OK "{\"object\":\"list\",\"data\":[{\"id\":7}]}"},
        {"openai", OK "{\"object\":\"list\",\"data\":[\"m\"]}"},
        {"openai", OK "{\"object\":\"list\",\"models\":[{\"name\":\"m\"}]}"},
        {"vllm", OK "{\"version\":\"0.6.1\",\"more\":1}"},
        {"vllm", OK "{\"version\":\"new\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (told(cases[i][0], cases[i][1])[0] != '\0')
            fail_msg("%s: %s", cases[i][0], cases[i][1]);
}

static void what_is_no_http(void **state) {
    (void)state;
    static const char *const cases[] = {"", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n",
                                        "HTTP/1.1 abc No\r\n\r\n", "HTTP/2 200\r\n\r\n"};
    struct app_answer answer;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_false(app_answer_read(cases[i], strlen(cases[i]), &answer));
}

/* Names of models are hostile: they are bounded, and what is no clean text is left out. */
static void models(void **state) {
    (void)state;
    struct app_facts facts = {.title = "Ollama", .version = "0.5.1", .models = "before"};
    struct app_answer answer = answer_of(OK "{\"models\":[{\"name\":\"llama3:8b\"},{\"name\":\"<b>x</b>\"}]}");
    char detail[128], text[4096] = OK "{\"models\":[";
    assert_true(app_read_models(&answer, &facts));
    assert_string_equal(facts.models, "llama3:8b, <b>x</b>");
    app_detail(&facts, "docker-proxy", detail, sizeof detail);
    assert_string_equal(detail, "Ollama 0.5.1 (docker-proxy): llama3:8b, <b>x</b>");

    answer = answer_of(OK "{\"models\":[{\"name\":\"\\u0007\"},{\"name\":\"b\"},{\"name\":\"\"}]}");
    assert_true(app_read_models(&answer, &facts));
    assert_string_equal(facts.models, "b and 2 more");
    answer = answer_of(OK "{\"models\":[{\"name\":1}]}");
    assert_false(app_read_models(&answer, &facts));
    assert_string_equal(facts.models, "b and 2 more");
    answer = answer_of(OK "{\"models\":[]}");
    assert_true(app_read_models(&answer, &facts));
    assert_string_equal(facts.models, "");

    for (int i = 0; i < 40; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text),
                       "%s{\"name\":\"äöüäöüäöüäöüäöüäöüäöüäöüäöü%d\"}", i == 0 ? "" : ",", i);
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), "]}");
    answer = answer_of(text);
    assert_true(app_read_models(&answer, &facts));
    assert_true(str_is_clean(facts.models, strlen(facts.models)));
    assert_non_null(strstr(facts.models, " and 39 more"));
    memset(facts.place, 'p', sizeof facts.place - 1);
    app_detail(&facts, "python3", detail, sizeof detail);
    assert_true(str_is_clean(detail, strlen(detail)));
    assert_in_range(strlen(detail), 100, sizeof detail - 1);
}

static void who_is_asked_what(void **state) {
    (void)state;
    uint32_t hinted, others, anywhere = UINT32_C(1) << row_of("triton") | UINT32_C(1) << row_of("openai");
    struct app_answer page = answer_of("HTTP/1.1 404 Not Found\r\n\r\n");
    app_candidates(&page, 5000, &hinted, &others);
    assert_int_equal(hinted, 0);
    assert_int_equal(others, anywhere);
    app_candidates(&page, 6006, &hinted, &others);
    assert_int_equal(others, anywhere | UINT32_C(1) << row_of("tensorboard"));
    page = answer_of("HTTP/1.1 302 Found\r\nLocation: ./login\r\n\r\n");
    app_candidates(&page, 8080, &hinted, &others);
    assert_int_equal(hinted, UINT32_C(1) << row_of("code-server"));
    page = answer_of(OK "<title>Streamlit</title>");
    app_candidates(&page, 8501, &hinted, &others);
    assert_int_equal(hinted, UINT32_C(1) << row_of("streamlit"));
    assert_int_equal(others, anywhere);
}

static void a_server_that_wants_a_key(void **state) {
    (void)state;
    struct app_facts facts;
    bool locked = false;
    struct app_answer answer = answer_of("HTTP/1.1 401 Unauthorized\r\n\r\n{\"error\":\"Unauthorized\"}");
    assert_false(app_is(row_of("openai"), &answer, &facts, &locked));
    assert_true(locked);
    assert_false(app_is(row_of("triton"), &answer, &facts, &locked));
    assert_false(locked);
    answer = answer_of(OK "{\"version\":\"0.6.1\"}");
    assert_true(app_is(app_of_locked(), &answer, &facts, &locked));
    assert_string_equal(facts.name, "vllm");
    assert_string_equal(facts.version, "0.6.1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_that_are_known), cmocka_unit_test(those_that_only_look_so),
        cmocka_unit_test(what_is_no_http),      cmocka_unit_test(models),
        cmocka_unit_test(who_is_asked_what),    cmocka_unit_test(a_server_that_wants_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
