/* Options that hold a secret in one program, and something else in others. */
#include <ctype.h>
#include <string.h>

#include "redact_local.h"

#define OPTIONS_MAX 6
enum { BOTH = REDACT_ATTACHED | REDACT_NEXT, PLAIN = 1, NAMES = 2 };

struct option {
    const char *name; /* "-p"; NULL: no more */
    unsigned how;     /* of enum redact_how */
};

struct redact_program {
    const char *names; /* with a blank on either side of each, as `after` */
    const char *after; /* one of these has to come before the rest counts; NULL: it counts at once */
    unsigned words;    /* PLAIN, NAMES */
    struct option options[OPTIONS_MAX];
};

/* Those without options are here because they come after others whose options would be looked for in theirs:
 * "sshpass -p X ssh -p 22". */
static const struct redact_program programs[] = {
    /* databases */
    {" mysql mysqldump mysqladmin mysqlimport mysqlshow mysqlcheck mysqlslap mysqlpump mysqlbinlog mycli mariadb"
     " mariadb-dump mariadb-admin mariadb-import mariadb-check mariabackup xtrabackup ",
     NULL,
     0,
     {{"-p", REDACT_ATTACHED}}},
    {" mongosh mongo mongodump mongorestore mongoexport mongoimport mongostat mongotop cqlsh cypher-shell"
     " rabbitmqadmin twine sshpass racadm rdesktop ncftpput ncftpget ",
     NULL,
     0,
     {{"-p", BOTH}}},
    {" redis-cli valkey-cli keydb-cli ", NULL, NAMES, {{"-a", REDACT_NEXT}}},
    {" sqlcmd bcp mosquitto_pub mosquitto_sub mosquitto_rr ipmitool zip unzip ", NULL, 0, {{"-P", BOTH}}},
    {" ldapsearch ldapadd ldapmodify ldapdelete ldapwhoami ldappasswd ldapmodrdn ldapcompare ",
     NULL,
     0,
     {{"-w", BOTH}}},
    /* archives, keys */
    {" 7z 7za 7zr 7zz rar unrar ", NULL, 0, {{"-p", REDACT_ATTACHED}, {"-hp", REDACT_ATTACHED}}},
    {" openssl ",
     NULL,
     0,
     {{"-passin", REDACT_NEXT},
      {"-passout", REDACT_NEXT},
      {"-k", REDACT_NEXT},
      {"-K", REDACT_NEXT},
      {"-hmac", REDACT_NEXT}}},
    {" ssh-keygen ", NULL, 0, {{"-N", BOTH}, {"-P", BOTH}}},
    {" keytool jarsigner ",
     NULL,
     0,
     {{"-storepass", REDACT_NEXT},
      {"-keypass", REDACT_NEXT},
      {"-deststorepass", REDACT_NEXT},
      {"-srcstorepass", REDACT_NEXT}}},
    /* the web, other machines */
    {" curl ",
     NULL,
     0,
     {{"-u", BOTH | REDACT_PAIR}, {"-U", BOTH | REDACT_PAIR}, {"--proxy-user", BOTH | REDACT_PAIR}, {"-b", BOTH}}},
    {" http https xh ", NULL, 0, {{"-a", BOTH}}},
    {" ab ", NULL, 0, {{"-A", BOTH | REDACT_PAIR}, {"-P", BOTH | REDACT_PAIR}}},
    {" smbclient rpcclient smbget smbmap net ", NULL, 0, {{"-U", BOTH | REDACT_PAIR}, {"--user", BOTH | REDACT_PAIR}}},
    {" lftp ", NULL, 0, {{"-u", BOTH | REDACT_PAIR}}},
    {" ttyd gotty ", NULL, 0, {{"-c", BOTH | REDACT_PAIR}, {"--credential", BOTH | REDACT_PAIR}}},
    {" transmission-remote ", NULL, 0, {{"-n", BOTH | REDACT_PAIR}}},
    {" snmpwalk snmpget snmpset snmpbulkwalk ", NULL, 0, {{"-c", BOTH}, {"-A", BOTH}, {"-X", BOTH}}},
    /* logins and settings */
    {" docker podman nerdctl buildah skopeo helm oras crane az ", " login ", 0, {{"-p", BOTH}}},
    {" poetry ", " publish ", 0, {{"-p", BOTH}}},
    {" wandb vault ", " login ", PLAIN, {{NULL, 0}}},
    {" ngrok ", " authtoken add-authtoken ", PLAIN, {{NULL, 0}}},
    {" aws npm yarn pnpm conda pip ", " set --set ", NAMES, {{NULL, 0}}},
    {" rclone dvc ", " create update modify ", NAMES, {{NULL, 0}}},
    {" nmcli iwctl ", NULL, NAMES, {{NULL, 0}}},
    /* no secrets of their own */
    {" ssh scp sftp rsync python python3 torchrun accelerate deepspeed nvcc tar make ls ", NULL, 0, {{NULL, 0}}},
};

/* Is the word one of the list? */
static bool is_listed(const char *list, const char *word, size_t len) {
    for (const char *at = list; at[1] != '\0';) {
        size_t n = strcspn(at + 1, " ");
        if (n == len && memcmp(at + 1, word, len) == 0)
            return true;
        at += n + 1;
    }
    return false;
}

const struct redact_program *redact_program_find(const char *name, size_t len) {
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (is_listed(programs[i].names, name, len))
            return &programs[i];
    return NULL;
}

bool redact_program_counts(const struct redact_program *program, const char *word, size_t len) {
    return program->after == NULL || is_listed(program->after, word, len);
}

bool redact_program_has_plain(const struct redact_program *program) {
    return (program->words & PLAIN) != 0;
}

bool redact_program_has_names(const struct redact_program *program) {
    return (program->words & NAMES) != 0;
}

/* "-sSu" for "-u": some that take no value before one that does, which then is the next word. */
static bool is_bundle(const char *word, size_t len, char letter) {
    size_t i = 1;
    while (i < len && isalpha((unsigned char)word[i]))
        i++;
    return i == len && len > 2 && len <= 6 && word[len - 1] == letter;
}

/* What the word holds if it is that option: of how it may be written, how it is. */
static unsigned match(const struct option *option, const char *word, size_t len, size_t *option_len) {
    size_t n = strlen(option->name);
    bool begins = len >= n && memcmp(word, option->name, n) == 0;
    unsigned pair = option->how & REDACT_PAIR;
    if (option->how & REDACT_NEXT && ((begins && len == n) || (n == 2 && is_bundle(word, len, option->name[1])))) {
        *option_len = len;
        return REDACT_NEXT | pair;
    }
    bool has_sign = begins && len > n && word[n] == '=';
    if (!begins || len <= n || !(option->how & REDACT_ATTACHED || has_sign) || (option->name[1] == '-' && !has_sign))
        return REDACT_NOTHING;
    *option_len = n + has_sign;
    return REDACT_ATTACHED | pair;
}

unsigned redact_program_option(const struct redact_program *program, const char *word, size_t len, size_t *option_len) {
    for (size_t i = 0; i < OPTIONS_MAX && program->options[i].name != NULL; i++) {
        unsigned how = match(&program->options[i], word, len, option_len);
        if (how != REDACT_NOTHING)
            return how;
    }
    return REDACT_NOTHING;
}
