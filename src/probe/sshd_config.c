#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/probe/sshd.h"

/* Bounds against a configuration that includes itself, or half the disk. */
#define INCLUDE_DEPTH 4
#define INCLUDE_FILES 64
#define FILE_SIZE 65536

struct reading {
    const char *root;
    struct sshd_config *config;
    unsigned files;
};

static void read_file(struct reading *reading, const char *path, unsigned depth);

static void add_port(struct sshd_config *config, const char *text) {
    uint64_t port;
    if (config->port_count >= SSHD_PORTS_MAX || str_u64(text, 1, UINT16_MAX, &port) != 0)
        return;
    for (size_t i = 0; i < config->port_count; i++)
        if (config->ports[i] == port)
            return;
    config->ports[config->port_count++] = (uint16_t)port;
}

/* host:port, [host]:port, or an address alone, which names no port. */
static void add_address(struct sshd_config *config, const char *text) {
    const char *colon = strrchr(text, ':');
    bool bracketed = colon != NULL && colon > text && colon[-1] == ']';
    if (colon != NULL && (bracketed || strchr(text, ':') == colon))
        add_port(config, colon + 1);
}

static void add_key(struct sshd_config *config, const char *path) {
    if (config->host_key_count < SSHD_KEYS_MAX && path[0] == '/' &&
        str_copy(config->host_keys[config->host_key_count], sizeof config->host_keys[0], path) == 0)
        config->host_key_count++;
}

static void include_files(struct reading *reading, const char *pattern, unsigned depth) {
    char path[1024];
    glob_t found = {0};
    int n = snprintf(path, sizeof path, "%s%s%s", reading->root, pattern[0] == '/' ? "" : "/etc/ssh/", pattern);
    if (n < 0 || (size_t)n >= sizeof path || depth >= INCLUDE_DEPTH)
        return;
    if (glob(path, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            read_file(reading, found.gl_pathv[i], depth + 1);
    globfree(&found);
}

/* False from the first `Match` on: what follows holds for some connections only. */
static bool read_line(struct reading *reading, char *line, unsigned depth) {
    char *words[16];
    size_t count = 0;
    char *start = line + strspn(line, " \t");
    if (*start == '#')
        return true;
    start[strcspn(start, "\r")] = '\0';
    char *equals = start + strcspn(start, " \t=\"");
    if (*equals == '=')
        *equals = ' ';
    if (str_words(start, words, 16, &count) != 0 || count < 2)
        return true;
    if (count > 2 && strcmp(words[1], "=") == 0) {
        words[1] = words[2];
        count = 2;
    }
    if (strcasecmp(words[0], "match") == 0)
        return false;
    if (strcasecmp(words[0], "port") == 0)
        add_port(reading->config, words[1]);
    else if (strcasecmp(words[0], "listenaddress") == 0)
        add_address(reading->config, words[1]);
    else if (strcasecmp(words[0], "hostkey") == 0)
        add_key(reading->config, words[1]);
    else if (strcasecmp(words[0], "include") == 0)
        for (size_t i = 1; i < count; i++)
            include_files(reading, words[i], depth);
    return true;
}

static void read_file(struct reading *reading, const char *path, unsigned depth) {
    struct buf content;
    buf_init(&content);
    char *text = NULL;
    if (reading->files++ >= INCLUDE_FILES || os_read_file(path, FILE_SIZE, &content) != 0 || buf_len(&content) == 0)
        goto out;
    text = strndup((const char *)buf_head(&content), buf_len(&content));
    if (text == NULL)
        goto out;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (!read_line(reading, line, depth))
            break;
out:
    free(text);
    buf_fini(&content);
}

void sshd_config_read(const char *root, struct sshd_config *out) {
    char path[1024];
    struct reading reading = {.root = root, .config = out};
    *out = (struct sshd_config){0};
    int n = snprintf(path, sizeof path, "%s/etc/ssh/sshd_config", root);
    if (n > 0 && (size_t)n < sizeof path)
        read_file(&reading, path, 0);
}

/* "ssh-ed25519 AAAA... comment": the first two words, when they look like that. */
static void add_public_key(struct sshd_keys *keys, const char *path) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-.@";
    struct buf content;
    char *words[3];
    size_t count = 0;
    char line[sizeof keys->text[0]];

    buf_init(&content);
    if (keys->count >= SSHD_KEYS_MAX || os_read_file(path, FILE_SIZE, &content) != 0)
        goto out;
    const char *text = buf_string(&content);
    size_t len = text == NULL ? 0 : strcspn(text, "\r\n");
    if (len == 0 || len >= sizeof line)
        goto out;
    memcpy(line, text, len);
    line[len] = '\0';
    /* the comment may be of any number of words: cut it off before they are counted */
    char *blank = strchr(line, ' ');
    blank = blank == NULL ? NULL : strchr(blank + 1, ' ');
    if (blank != NULL)
        *blank = '\0';
    if (str_words(line, words, 3, &count) != 0 || count != 2)
        goto out;
    if (words[0][strspn(words[0], alphabet)] != '\0' || words[1][strspn(words[1], alphabet)] != '\0')
        goto out;
    int n = snprintf(keys->text[keys->count], sizeof keys->text[0], "%s %s", words[0], words[1]);
    if (n > 0 && (size_t)n < sizeof keys->text[0])
        keys->count++;
out:
    buf_fini(&content);
}

void sshd_keys_read(const char *root, struct sshd_keys *out) {
    char path[1024];
    struct sshd_config config;
    glob_t found = {0};

    *out = (struct sshd_keys){0};
    sshd_config_read(root, &config);
    for (size_t i = 0; i < config.host_key_count; i++) {
        int n = snprintf(path, sizeof path, "%s%s.pub", root, config.host_keys[i]);
        if (n > 0 && (size_t)n < sizeof path)
            add_public_key(out, path);
    }
    if (config.host_key_count > 0)
        return;
    int n = snprintf(path, sizeof path, "%s/etc/ssh/ssh_host_*_key.pub", root);
    if (n < 0 || (size_t)n >= sizeof path)
        return;
    if (glob(path, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            add_public_key(out, found.gl_pathv[i]);
    globfree(&found);
}
