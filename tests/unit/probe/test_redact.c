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

/* Options that hold a secret in one program, and something else in another. */
static const struct expected programs[] = {
    CASE("mysql\0-uroot\0-phunter2\0shop", "mysql -uroot -p*** shop"),
    CASE("/usr/bin/mysqldump\0-u\0root\0-px y\0shop", "/usr/bin/mysqldump -u root -p*** shop"),
    CASE("mysql\0-p\0shop", "mysql -p shop"), /* it asks */
    CASE("sshpass\0-p\0hunter2\0ssh\0-p\0"
         "22\0box",
         "sshpass -p *** ssh -p 22 box"),
    CASE("sshpass\0-phunter2\0scp\0-P\0"
         "22\0a\0b:c",
         "sshpass -p*** scp -P 22 a b:c"),
    CASE("mongosh\0-u\0ann\0-p\0hunter2", "mongosh -u ann -p ***"),
    CASE("redis-cli\0-h\0db\0-a\0hunter2\0PING", "redis-cli -h db -a *** PING"),
    CASE("redis-cli\0CONFIG\0SET\0requirepass\0hunter2", "redis-cli CONFIG SET requirepass ***"),
    CASE("redis-server\0--requirepass\0hunter2", "redis-server --requirepass ***"),
    CASE("redis-server\0--requirepass=hunter2", "redis-server --requirepass=***"),
    CASE("sqlcmd\0-P\0hunter2\0-Q\0x", "sqlcmd -P *** -Q x"),
    CASE("keytool\0-storepass\0hunter2\0-list", "keytool -storepass *** -list"),
    CASE("http\0-a\0tok\0GET\0x", "http -a *** GET x"),
    CASE("ab\0-A\0ann:pw\0x", "ab -A ann:*** x"),
    CASE("ttyd\0-c\0ann:pw\0bash", "ttyd -c ann:*** bash"),
    CASE("transmission-remote\0-n\0ann:pw\0-l", "transmission-remote -n ann:*** -l"),
    CASE("snmpwalk\0-v2c\0-c\0hunter2\0ups", "snmpwalk -v2c -c *** ups"),
    CASE("poetry\0publish\0-u\0ann\0-p\0hunter2", "poetry publish -u ann -p ***"),
    CASE("ngrok\0config\0add-authtoken\0hunter2", "ngrok config add-authtoken ***"),
    CASE("rclone\0config\0create\0x\0s3\0secret_access_key\0hunter2",
         "rclone config create x s3 secret_access_key ***"),
    CASE("ldapsearch\0-D\0cn=ann\0-w\0hunter2", "ldapsearch -D cn=ann -w ***"),
    CASE("7z\0x\0-phunter2\0a.7z\0-y", "7z x -p*** a.7z -y"),
    CASE("zip\0-rP\0hunter2\0a.zip\0dir", "zip -rP *** a.zip dir"),
    CASE("unzip\0-Phunter2\0a.zip", "unzip -P*** a.zip"),
    CASE("openssl\0enc\0-aes-256-cbc\0-passin\0pass:hunter2\0-k\0x", "openssl enc -aes-256-cbc -passin *** -k ***"),
    CASE("ssh-keygen\0-t\0ed25519\0-N\0my phrase\0-f\0k", "ssh-keygen -t ed25519 -N *** -f k"),
    CASE("ipmitool\0-I\0lanplus\0-P\0hunter2\0sensor", "ipmitool -I lanplus -P *** sensor"),
    CASE("docker\0login\0-u\0ann\0-p\0hunter2\0hub", "docker login -u ann -p *** hub"),
    CASE("docker\0run\0-p\0"
         "8888:8888\0-u\0"
         "1000:1000\0--user=0:0\0img",
         "docker run -p 8888:8888 -u 1000:1000 --user=0:0 img"),
    CASE("curl\0-uann:pw x\0-sSu\0ann:pw\0--proxy-user\0ann:pw\0--proxy-user=ann:pw\0-U\0ann",
         "curl -uann:*** -sSu ann:*** --proxy-user ann:*** --proxy-user=ann:*** -U ann"),
    CASE("curl\0-u\0ann:my pw\0-u\0sk_live_abcdefghijkl:\0-u\0k3y:\0-u\0sk_live_abcdefghijkl:x\0-b\0sid=1",
         "curl -u ann:*** -u *** -u *** -u *** -b ***"),
    CASE("smbclient\0//nas/x\0-U\0ann%pw", "smbclient //nas/x -U ann%***"),
    CASE("lftp\0-u\0ann,pw\0nas", "lftp -u ann,*** nas"),
    CASE("a\0--user=ann:pw\0-u\0http://host:80/x", "a --user=ann:*** -u http://host:80/x"),
    CASE("/usr/bin/python3\0/opt/bin/wandb\0login\0--host\0https://h\0abcdef\0more",
         "/usr/bin/python3 /opt/bin/wandb login --host https://h *** more"),
    CASE("bash\0-c\0wandb login && python train.py", "bash -c wandb login && python train.py"),
    CASE("aws\0configure\0set\0aws_secret_access_key\0x y\0--profile\0a",
         "aws configure set aws_secret_access_key *** --profile a"),
    CASE("aws\0s3\0cp\0key\0s3://b/key", "aws s3 cp key s3://b/key"),
    CASE("dvc\0remote\0modify\0r\0password\0hunter2", "dvc remote modify r password ***"),
    CASE("nmcli\0dev\0wifi\0connect\0home\0password\0hunter2", "nmcli dev wifi connect home password ***"),
    CASE("huggingface-cli\0login\0--token\0hf_x", "huggingface-cli login --token ***"),
    CASE("wget\0--user\0ann\0--password=x y\0--http-password\0x", "wget --user ann --password=*** --http-password ***"),
    CASE("psql\0postgresql://u:p@h/db\0host=h password='a b' user=u",
         "psql postgresql://***@h/db host=h password=*** user=u"),
    /* the same letters elsewhere */
    CASE("python\0train.py\0-p\0"
         "8\0-P\0"
         "9\0-a\0x\0-w\0"
         "4\0-k\0"
         "5",
         "python train.py -p 8 -P 9 -a x -w 4 -k 5"),
    CASE("tar\0-pxf\0a.tar", "tar -pxf a.tar"),
    CASE("nvcc\0-u\0x\0-pg", "nvcc -u x -pg"),
    CASE("ls\0-u\0/data/mysql/x\0-p1", "ls -u /data/mysql/x -p1"),
    CASE("bash\0-c\0sshpass -p x ssh -p 22 h; mysql -pX\"y z\" -e 'a; b' ; python t.py -p8",
         "bash -c sshpass -p *** ssh -p 22 h; mysql -p*** -e 'a; b' ; python t.py -p8"),
    CASE("sh\0-c\0echo hunter2 | sudo -S apt update", "sh -c echo ***| sudo -S apt update"),
    CASE("bash\0-c\0ssh h 'mysql -px y' && (mysql '-px y')", "bash -c ssh h 'mysql -p*** y' && (mysql '-p*** y')"),
    CASE("bash\0-c\0ssh h 'mysql -px' y", "bash -c ssh h 'mysql -p***' y"),
    CASE("sh\0-c\0echo hunter2 | tee x", "sh -c echo hunter2 | tee x"),
};

/* Values as shells, headers and Python write them. */
static const struct expected values[] = {
    CASE("curl\0-H\0Authorization: ApiKey abc def", "curl -H Authorization: ***"),
    CASE("bash\0-c\0curl -H 'X-Auth-Token: ab cd' -H \"Cookie: a=b; c\" x",
         "bash -c curl -H 'X-Auth-Token: ***' -H \"Cookie: ***\" x"),
    CASE("wget\0--header=Authorization: Key abc def", "wget --header=Authorization: ***"),
    CASE("bash\0-c\0curl -d \"{\\\"password\\\": \\\"a b\\\", \\\"n\\\": 1}\" x",
         "bash -c curl -d \"{\\\"password\\\": ***, \\\"n\\\": 1}\" x"),
    CASE("bash\0-c\0export A_TOKEN=\"a b\"c'd e'; B_TOKEN=a\\ b c; go",
         "bash -c export A_TOKEN=***; B_TOKEN=*** c; go"),
    CASE("bash\0-c\0export A_TOKEN=\"a\\\"b c\"; go", "bash -c export A_TOKEN=***; go"),
    CASE("bash\0-c\0a --token x,y&& b", "bash -c a --token ***&& b"),
    CASE("python\0-c\0import wandb; wandb.login(key='a b'); n = 1",
         "python -c import wandb; wandb.login(key=***); n = 1"),
    CASE("python\0-c\0api_key = \"a b\"; os.environ[\"HF_TOKEN\"] = 'x'; token == y",
         "python -c api_key = ***; os.environ[\"HF_TOKEN\"] = ***; token == y"),
    CASE("python\0-c\0get(u, auth=('ann', 'pw')); os.putenv('X_TOKEN', 'a b')",
         "python -c get(u, auth=***); os.putenv('X_TOKEN', ***)"),
    CASE("python\0-c\0run([\"x\", \"--token\", \"a b\"])", "python -c run([\"x\", \"--token\", ***])"),
    CASE("a\0s3://b/x?X-Amz-Signature=abc&n=1\0https://b/x?sv=1&sig=ab%2F&se=2",
         "a s3://b/x?X-Amz-Signature=***&n=1 https://b/x?sv=1&sig=***&se=2"),
};

static void check(const struct expected *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        /* without its end, and at the very end of a block: nothing behind it is read unnoticed */
        size_t len = list[i].len - 1;
        char *args = malloc(len + 1), shown[256];
        assert_non_null(args);
        memcpy(args + 1, list[i].args, len);
        redact_command(args + 1, len, shown, sizeof shown);
        assert_string_equal(shown, list[i].shown);
        free(args);
    }
}

static void every_case(void **state) {
    (void)state;
    check(cases, sizeof cases / sizeof *cases);
}

static void each_program(void **state) {
    (void)state;
    check(programs, sizeof programs / sizeof *programs);
}

static void each_value(void **state) {
    (void)state;
    check(values, sizeof values / sizeof *values);
}

/* Wherever it is cut off, it stays clean, and shows nothing that the whole would not. */
static void at_every_length(const struct expected *one) {
    char whole[256], shown[60];
    redact_command(one->args, one->len, whole, sizeof whole);
    for (size_t size = 1; size < sizeof shown; size++) {
        redact_command(one->args, one->len, shown, size);
        size_t len = strlen(shown);
        assert_true(len < size);
        assert_true(str_is_clean(shown, len));
        assert_memory_equal(shown, whole, len);
    }
}

static void any_length(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        at_every_length(&cases[i]);
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        at_every_length(&programs[i]);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        at_every_length(&values[i]);
}

/* Command lines that are made to take long end, too, and nothing of them is read beyond their end. */
static void long_lines(void **state) {
    static const char *const units[] = {"a/", "echo|",  "://",   "\\\"",     "\"", "-p",
                                        "A1", "auth=(", "-u a:", "mysql -p", "\\"};
    enum { LENGTH = 65536 };
    char *args = malloc(LENGTH), shown[192];
    (void)state;
    assert_non_null(args);
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        for (size_t i = 0; i < LENGTH; i++)
            args[i] = units[u][i % strlen(units[u])];
        for (size_t less = 0; less < 10; less++) {
            redact_command(args + less, LENGTH - less, shown, sizeof shown);
            assert_true(str_is_clean(shown, strlen(shown)));
        }
    }
    free(args);
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
    static const char *const secret[] = {"token",       "HF_TOKEN",      "hfToken",        "--api-key",
                                         "apikey",      "db.password",   "PGPASSWORD",     "AWS_SECRET_ACCESS_KEY",
                                         "credentials", "client-secret", "auth",           "authtoken",
                                         "secret_id",   "file-token",    "KEY_FILE_TOKEN", NULL};
    static const char *const plain[] = {
        "tokenizer", "max-tokens", "keyboard", "author",    "monkey",      "compass",       "epochs",      "",
        "-",         "authored",   "key-dim",  "token_dim", "tokenLength", "password-file", "--auth-mode", NULL};
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
        cmocka_unit_test(every_case), cmocka_unit_test(each_program), cmocka_unit_test(each_value),
        cmocka_unit_test(any_length), cmocka_unit_test(long_lines),   cmocka_unit_test(two_bytes_are_not_cut),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
