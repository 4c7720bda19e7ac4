/* Command lines as they may be shown. */
#include "fixture.h"

#include "redact.h"
#include "sallyport/base/str.h"

#define RANDOM "9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d"

/* Arguments are separated by \0 in `args`. */
struct expected {
    const char *args;
    size_t len;
    const char *shown;
};
#define CASE(args, shown) \
    { args, sizeof(args), shown }

static const struct expected cases[] = {
    CASE("python\0train.py\0--lr\0"
         "1e-4",
         "python train.py --lr 1e-4"),
    /* options and their values */
    CASE("a\0--token\0abc\0--x\0"
         "1",
         "a --token *** --x 1"),
    CASE("a\0--token=abc\0b", "a --token=*** b"),
    CASE("python\0-c\0import os; os.environ['API_KEY']='abc'; x[0]=1; go()",
         "python -c import os; os.environ['API_KEY']=***; x[0]=1; go()"),
    CASE("a\0--token\0my secret phrase\0b", "a --token *** b"),
    CASE("a\0--password=my secret phrase\0b", "a --password=*** b"),
    CASE("a\0--api-key\0k\0--apiKey\0k\0--api_key=k\0-DAPI_KEY=k",
         "a --api-key *** --apiKey *** --api_key=*** -DAPI_KEY=***"),
    CASE("a\0--auth\0--port\0"
         "80",
         "a --auth --port 80"),
    CASE("a\0--secret\0-x\0b", "a --secret -x b"),
    CASE("a\0--password\0-hunter2\0b", "a --password *** b"),
    CASE("a\0--token", "a --token"),
    CASE("a\0--token=", "a --token="),
    CASE("jupyter-lab\0--ServerApp.token=abc\0--IdentityProvider.token\0abc",
         "jupyter-lab --ServerApp.token=*** --IdentityProvider.token ***"),
    CASE("a\0trainer.token=abc\0+wandb.api_key=xyz\0model=resnet50",
         "a trainer.token=*** +wandb.api_key=*** model=resnet50"),
    /* what has such a word in it, but says something else */
    CASE("vllm\0--tokenizer\0meta-llama/Meta-Llama-3-8B-Instruct\0--max-tokens\0"
         "100\0--keyboard\0us\0--author\0ann",
         "vllm --tokenizer meta-llama/Meta-Llama-3-8B-Instruct --max-tokens 100 --keyboard us --author ann"),
    /* variables and scripts */
    CASE("env\0HF_TOKEN=abc def\0python", "env HF_TOKEN=*** python"),
    CASE("bash\0-c\0export HF_TOKEN=abc; python x.py --token \"a b c\" --epochs 3",
         "bash -c export HF_TOKEN=***; python x.py --token *** --epochs 3"),
    CASE("bash\0-lc\0PASSWORD=x python y.py", "bash -lc PASSWORD=*** python y.py"),
    CASE("docker\0run\0-e\0WANDB_API_KEY=abc\0img", "docker run -e WANDB_API_KEY=*** img"),
    CASE("ray: worker --token abc --x", "ray: worker --token *** --x"),
    /* JSON, headers, URLs */
    CASE("a\0cfg={\"token\": \"a b\", \"n\": 3, \"api_key\":\"q\"}",
         "a cfg={\"token\": ***, \"n\": 3, \"api_key\":***}"),
    CASE("curl\0-H\0Authorization: Bearer abc def\0x", "curl -H Authorization: Bearer *** x"),
    CASE("curl\0-H\0X-Api-Key: abc", "curl -H X-Api-Key: ***"),
    CASE("git\0clone\0https://ann:pw@host/x?token=12&a=3", "git clone https://***@host/x?token=***&a=3"),
    CASE("a\0postgres://u:p@ss@db/x\0http://host/a@b", "a postgres://***@db/x http://host/a@b"),
    CASE("curl\0-u\0ann:pw\0--user\0ann:pw\0-u\0ann\0-u", "curl -u ann:*** --user ann:*** -u ann -u"),
    CASE("docker\0-u\0"
         "1000\0-v\0/a:/b",
         "docker -u 1000 -v /a:/b"),
    /* the form says it */
    CASE("a\0hf_abcdefghij\0sk-abcdefghijkl\0ghp_abcdefghijkl\0AKIAIOSFODNN7EXAMPLE\0b", "a *** *** *** *** b"),
    CASE("a\0eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def_g\0b", "a *** b"),
    CASE("a\0" RANDOM "\0--x=" RANDOM "\0/run/" RANDOM "/y", "a *** --x=*** ***"),
    CASE("a\0q8Zk1+Xw/2LmN0pQr5StUvW7yA==\0b", "a *** b"),
    CASE("a\0sk-1\0hf_x\0kernel\0b", "a sk-1 hf_x kernel b"),
    CASE("python\0/data/2026-11-20_llama3-8b_lr1e-4_bs32_seed42_run7/train.py\0--out=Meta-Llama-3-8B-Instruct-AWQ-INT4",
         "python /data/2026-11-20_llama3-8b_lr1e-4_bs32_seed42_run7/train.py --out=Meta-Llama-3-8B-Instruct-AWQ-INT4"),
    CASE("python\0-m\0ipykernel_launcher\0-f\0/run/kernel-6f4e2b1a-1c2d-4e3f-8a9b-0c1d2e3f4a5b.json",
         "python -m ipykernel_launcher -f /run/kernel-6f4e2b1a-1c2d-4e3f-8a9b-0c1d2e3f4a5b.json"),
    /* what is not clean */
    CASE("a\x1b[31mb\xff"
         "c\nd\xc2\x9b"
         "e\0\xc3\xbc\0\xc3",
         "a?[31mb?c d??e \xc3\xbc ?"),
    CASE("", ""),
    CASE("\0\0\0", ""),
    CASE("a\0\0b\0\0", "a  b"),
};

static void every_case(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        /* without its end, and at the very end of a block: nothing behind it is read unnoticed */
        size_t len = cases[i].len - 1;
        char *args = malloc(len + 1), shown[256];
        assert_non_null(args);
        memcpy(args + 1, cases[i].args, len);
        redact_command(args + 1, len, shown, sizeof shown);
        assert_string_equal(shown, cases[i].shown);
        free(args);
    }
}

/* Wherever it is cut off, it stays clean, and shows nothing that the whole would not. */
static void any_length(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char whole[256];
        redact_command(cases[i].args, cases[i].len, whole, sizeof whole);
        for (size_t size = 1; size < 60; size++) {
            char shown[60];
            redact_command(cases[i].args, cases[i].len, shown, size);
            size_t len = strlen(shown);
            assert_true(len < size);
            assert_true(str_is_clean(shown, len));
            assert_memory_equal(shown, whole, len);
        }
    }
}

static void two_bytes_are_not_cut(void **state) {
    char args[400], shown[192];
    (void)state;
    memset(args, 'a', sizeof args);
    for (size_t i = 190; i + 1 < sizeof args; i += 2) {
        args[i] = '\xc3';
        args[i + 1] = '\xbc';
    }
    redact_command(args, sizeof args, shown, sizeof shown);
    assert_int_equal(strlen(shown), 190);
    args[189] = '\xc3';
    args[190] = '\xbc';
    redact_command(args, sizeof args, shown, sizeof shown);
    assert_int_equal(strlen(shown), 191);
}

static void names(void **state) {
    static const char *const secret[] = {"token",       "HF_TOKEN",      "hfToken",    "--api-key",
                                         "apikey",      "db.password",   "PGPASSWORD", "AWS_SECRET_ACCESS_KEY",
                                         "credentials", "client-secret", "auth",       "authtoken",
                                         NULL};
    static const char *const plain[] = {"tokenizer", "max-tokens", "keyboard", "author",   "monkey", "compass",
                                        "epochs",    "",           "-",        "authored", NULL};
    (void)state;
    for (size_t i = 0; secret[i] != NULL; i++)
        if (!redact_is_secret_name(secret[i], strlen(secret[i])))
            fail_msg("%s", secret[i]);
    for (size_t i = 0; plain[i] != NULL; i++)
        if (redact_is_secret_name(plain[i], strlen(plain[i])))
            fail_msg("%s", plain[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case),
        cmocka_unit_test(any_length),
        cmocka_unit_test(two_bytes_are_not_cut),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
