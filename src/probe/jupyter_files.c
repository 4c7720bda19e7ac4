#include "jupyter_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"
#include "sallyport/base/err.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"

#define RUNTIME_FILE_MAX 65536
#define RUNTIME_PATH_SIZE 1024
/* A folder with more entries than this is not read to its end. */
#define ENTRIES_MAX 4096

void jupyter_servers_fini(struct jupyter_servers *servers) {
    if (servers->items != NULL)
        secret_wipe(servers->items, JUPYTER_SERVERS_MAX * sizeof *servers->items);
    free(servers->items);
    *servers = (struct jupyter_servers){0};
}

const struct jupyter_server *jupyter_servers_find(const struct jupyter_servers *servers, uint16_t port) {
    for (size_t i = 0; i < servers->count; i++)
        if (servers->items[i].listener.port == port)
            return &servers->items[i];
    return NULL;
}

int jupyter_servers_add(struct jupyter_servers *servers, const struct jupyter_server *server) {
    for (size_t i = 0; i < servers->count; i++) {
        if (servers->items[i].listener.port != server->listener.port)
            continue;
        if (servers->items[i].started < server->started)
            servers->items[i] = *server;
        return 0;
    }
    /* all at once, so that no token is left behind where a smaller array was */
    if (servers->items == NULL)
        servers->items = calloc(JUPYTER_SERVERS_MAX, sizeof *servers->items);
    if (servers->items == NULL)
        return SP_ENOMEM;
    if (servers->count == JUPYTER_SERVERS_MAX)
        return SP_ETOOBIG;
    servers->items[servers->count++] = *server;
    return 0;
}

int jupyter_runtime_dir(char *to, size_t size) {
    static const struct {
        const char *variable, *below;
    } places[] = {{"JUPYTER_RUNTIME_DIR", NULL},
                  {"JUPYTER_DATA_DIR", "runtime"},
                  {"XDG_DATA_HOME", "jupyter/runtime"},
                  {"HOME", ".local/share/jupyter/runtime"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *value = getenv(places[i].variable);
        if (value == NULL || value[0] == '\0')
            continue;
        return places[i].below == NULL ? str_copy(to, size, value) : os_path(to, size, value, places[i].below);
    }
    return SP_ENOENT;
}

/* jpserver-PID.json or nbserver-PID.json: the pid, or 0. */
static pid_t name_pid(const char *name, bool *notebook) {
    char number[16];
    uint64_t pid;
    *notebook = str_starts(name, "nbserver-");
    if (!*notebook && !str_starts(name, "jpserver-"))
        return 0;
    const char *at = name + strlen("jpserver-");
    size_t digits = strspn(at, "0123456789");
    if (digits == 0 || digits >= sizeof number || strcmp(at + digits, ".json") != 0)
        return 0;
    memcpy(number, at, digits);
    number[digits] = '\0';
    return str_u64(number, 1, INT32_MAX, &pid) == 0 ? (pid_t)pid : 0;
}

/* Reads a file that its owner may have made to deceive: no link, no pipe, nobody else's, not large. */
static int read_runtime(int dir, const char *name, uid_t owner, struct jupyter_server *out) {
    int rc = SP_EFORMAT;
    struct stat info;
    size_t len = 0;
    char *text = NULL;

    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return SP_ESYS;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != owner || info.st_size > RUNTIME_FILE_MAX)
        goto out;
    text = malloc(RUNTIME_FILE_MAX);
    if (text == NULL) {
        rc = SP_ENOMEM;
        goto out;
    }
    while (len < RUNTIME_FILE_MAX) {
        ssize_t n = read(fd, text + len, RUNTIME_FILE_MAX - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    rc = jupyter_parse_runtime(text, len, out);
    if (rc == 0)
        out->started = info.st_mtim.tv_sec;
    secret_wipe(text, len);
out:
    free(text);
    close(fd);
    return rc;
}

static int scan_entry(int dir, const char *name, uid_t owner, const char *root, const struct listeners *listeners,
                      struct jupyter_servers *servers) {
    struct jupyter_server server;
    bool notebook;
    pid_t pid = name_pid(name, &notebook);
    if (pid == 0 || !process_exists(root, pid))
        return 0;
    int rc = read_runtime(dir, name, owner, &server);
    if (rc != 0)
        return rc == SP_ENOMEM ? rc : 0;
    const struct listener *listener = listeners_find(listeners, server.listener.port);
    /* else a user could have somebody else's port published by writing it into such a file */
    if (server.pid == pid && listener != NULL && listener->uid == owner) {
        server.listener = *listener;
        server.notebook = notebook;
        rc = jupyter_servers_add(servers, &server);
    }
    secret_wipe(&server, sizeof server);
    return rc;
}

static int scan_dir(const char *path, uid_t owner, const char *root, const struct listeners *listeners,
                    struct jupyter_servers *servers) {
    struct stat info;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return 0;
    DIR *dir = fstat(fd, &info) == 0 && info.st_uid == owner ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        close(fd);
        return 0;
    }
    int rc = 0;
    struct dirent *entry = readdir(dir);
    for (size_t i = 0; entry != NULL && i < ENTRIES_MAX && rc == 0; i++) {
        rc = scan_entry(fd, entry->d_name, owner, root, listeners, servers);
        entry = readdir(dir);
    }
    closedir(dir);
    return rc == SP_ETOOBIG ? 0 : rc;
}

/* The owner of a folder in /home, for a user who is in no local list (LDAP): asking the name service could block. */
static int home_below(const char *root, uid_t uid, char *to, size_t size) {
    char path[RUNTIME_PATH_SIZE];
    struct stat info;
    int rc = SP_ENOENT;
    if (os_path(path, sizeof path, root, "home") != 0)
        return rc;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return rc;
    for (struct dirent *entry = readdir(dir); entry != NULL && rc != 0; entry = readdir(dir))
        if (entry->d_name[0] != '.' && fstatat(dirfd(dir), entry->d_name, &info, 0) == 0 && S_ISDIR(info.st_mode) &&
            info.st_uid == uid)
            rc = os_path(to, size, path, entry->d_name);
    closedir(dir);
    return rc;
}

static int home_of(const char *root, uid_t uid, char *to, size_t size) {
    char path[RUNTIME_PATH_SIZE], fields[2048];
    struct passwd entry, *found;
    int rc = SP_ENOENT;
    int n = snprintf(path, sizeof path, "%s/etc/passwd", root);
    FILE *file = n > 0 && (size_t)n < sizeof path ? fopen(path, "re") : NULL;
    if (file != NULL) {
        while (rc != 0 && fgetpwent_r(file, &entry, fields, sizeof fields, &found) == 0) {
            if (found->pw_uid != uid || found->pw_dir[0] != '/')
                continue;
            n = snprintf(to, size, "%s%s", root, found->pw_dir);
            rc = n > 0 && (size_t)n < size ? 0 : SP_ETOOBIG;
        }
        fclose(file);
    }
    return rc == 0 ? 0 : home_below(root, uid, to, size);
}

static int scan_home(const char *root, uid_t uid, const struct listeners *listeners, struct jupyter_servers *servers) {
    char home[RUNTIME_PATH_SIZE], path[RUNTIME_PATH_SIZE];
    if (home_of(root, uid, home, sizeof home) != 0 ||
        os_path(path, sizeof path, home, ".local/share/jupyter/runtime") != 0)
        return 0;
    return scan_dir(path, uid, root, listeners, servers);
}

/* Did a row before this one bear the same uid? */
static bool is_repeated(const struct listeners *listeners, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (listeners->items[i].uid == listeners->items[at].uid)
            return true;
    return false;
}

int jupyter_files_scan(const char *root, const struct listeners *listeners, struct jupyter_servers *servers) {
    char path[RUNTIME_PATH_SIZE];
    uid_t self = geteuid();
    int rc = 0;

    if (jupyter_runtime_dir(path, sizeof path) == 0)
        rc = scan_dir(path, self, root, listeners, servers);
    for (size_t i = 0; i < listeners->count && rc == 0; i++) {
        uid_t uid = listeners->items[i].uid;
        if ((self == 0 || uid == self) && !is_repeated(listeners, i))
            rc = scan_home(root, uid, listeners, servers);
    }
    return rc;
}
