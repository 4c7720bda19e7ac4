/* The web front with made-up machines behind it, for the browser's test: one order a line on standard input, one answer
 * a line on standard output.
 *
 *   stand DIR PORT [SOCKETS]   PORT 0: any free one; the first line out is the port. SOCKETS: the services are the
 *                       Unix sockets SERVICE.sock in this folder, and the first scene is `sockets`
 *   login NAME          -> the path of a one-time link for that user (added when not there; an admin if it is `ada` or
 *                       begins with `admin`)
 *   show SCENE          -> ok; empty, home, offline, hostile, sockets
 *   load NUMBER         -> ok; the load of box1
 *   notebook STATE      -> ok; of box1's first notebook: busy or idle
 *   join NAME           -> ok; a new machine, online; leave NAME removes it
 *   logout              -> ok; ends all sessions by removing the users
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/relay/web.h"
#include "sallyport/store/logins.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"
#include "sallyport/wire/digest.h"
#include "sallyport/wire/tls.h"
#include "upstream.h"

#define GIB ((int64_t)1 << 30)

struct stand {
    struct loop *loop;
    struct store *store;
    struct tls_server *tls;
    struct web *web;
    struct loop_fd listener, orders;
    struct buf typed;
    const char *scene;
    struct status status[2];
    struct service jupyter[4];
    struct candidate candidates[2][3];
    int64_t started;
    struct upstream upstream;
};

static const struct service usual[] = {
    {.name = "ssh", .kind = SERVICE_SSH, .port = 22, .up = true},
    {.name = "jupyter",
     .kind = SERVICE_HTTP,
     .port = 8888,
     .up = true,
     .path = "/",
     .detail = "jupyter-server 1.23.3, /home/ann/notebooks",
     .notebooks = {true, 3, 2, {{"train.ipynb", "python3", true}, {"plots.ipynb", "python3", false}}}},
    {.name = "tensorboard", .kind = SERVICE_HTTP, .port = 6006, .up = false, .path = "/"},
    {.name = "postgres", .kind = SERVICE_TCP, .port = 5432, .up = true},
};
static const struct service bare[] = {
    {.name = "ssh", .kind = SERVICE_SSH, .port = 22, .up = true},
};
static const struct service sockets[] = {
    {.name = "app", .kind = SERVICE_HTTP, .port = 80, .up = true, .path = "/"},
    {.name = "echo", .kind = SERVICE_HTTP, .port = 81, .up = true, .path = "/"},
};
static const struct service hostile[] = {
    {.name = "ssh",
     .kind = SERVICE_SSH,
     .port = 22,
     .up = true,
     .detail = "<img src=x onerror=document.title='owned'>"},
    {.name = "jupyter",
     .kind = SERVICE_HTTP,
     .port = 80,
     .up = true,
     .path = "/\\evil.example/?\"onclick=alert(1)",
     .detail = "a-very-long-word-without-any-place-to-break-it-that-goes-on-and-on-and-on-and-on-and-on-and-on-and-on"},
    {.name = "jupyter-two",
     .kind = SERVICE_HTTP,
     .port = 8889,
     .up = true,
     .path = "//evil.example/",
     .detail = "\xe2\x80\xae gnirts \xe2\x80\xac"},
};
static struct filesystem disks[] = {
    {"/", "ext4", 480 * GIB, 201 * GIB, 250 * GIB, -1, -1, -1},
    {"/data", "ext4", 4000 * GIB, 3790 * GIB, 10 * GIB, -1, -1, -1},
};
static struct filesystem odd_disks[] = {
    {"/<script>document.title='owned'</script>", "ext4", 480 * GIB, 480 * GIB, 0, -1, -1, -1},
    {"/mnt/a-very-long-mount-point-without-any-place-to-break-it-that-goes-on-and-on-and-on", "ext4", GIB, 1, 1, -1, -1,
     -1},
};

static const struct candidate carrier[] = {
    {.kind = CANDIDATE_MAPPED,
     .address = "100.64.23.2",
     .port = 40022,
     .by = "upnp",
     .state = CANDIDATE_FAILED,
     .text = "your router's own address 100.64.23.2 is private: the ISP has another NAT in front (carrier NAT)"},
    {.kind = CANDIDATE_IPV6, .address = "2001:db8:77::20", .port = 41234},
    {.kind = CANDIDATE_LAN, .address = "192.168.1.20", .port = 41234},
};
static const struct candidate proved[] = {
    {.kind = CANDIDATE_LAN, .address = "192.168.1.21", .port = 50123},
    {.kind = CANDIDATE_IPV6, .address = "2001:db8:77::21", .port = 50123, .state = CANDIDATE_VERIFIED, .to_sshd = true},
    {.kind = CANDIDATE_MAPPED, .address = "203.0.113.7", .port = 40023, .by = "pcp", .state = CANDIDATE_VERIFIED},
};
static const struct candidate odd[] = {
    {.kind = CANDIDATE_MAPPED,
     .address = "2001:db8:1111:2222:3333:4444:5555:6666",
     .port = 65535,
     .by = "<b>upnp</b>",
     .state = CANDIDATE_FAILED,
     .text = "<img src=x onerror=document.title='owned'> \xe2\x80\xae a-very-long-word-without-any-place-to-break-it-"
             "that-goes-on-and-on-and-on-and-on-and-on-and-on-and-on-and-on \xe2\x80\xac"},
};
static char *const host_keys[] = {
    (char[]){"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ root@box2"},
    (char[]){"ssh-rsa <b>"},
};

/* What box1 (or, hostile, `odd`) and box2 say of the ways to them. */
static void view_ways(struct stand *stand, struct machine_view *out, bool is_box1, bool is_hostile) {
    const struct candidate *list = is_hostile ? odd : is_box1 ? carrier : proved;
    size_t count = is_hostile ? 1 : 3;
    for (size_t i = 0; i < count; i++) {
        stand->candidates[is_box1][i] = list[i];
        if (list[i].state != CANDIDATE_UNCHECKED) {
            stand->candidates[is_box1][i].checked = stand->started - 200;
        }
    }
    out->has_reach = true;
    out->reach =
        (struct view_reach){.candidates = stand->candidates[is_box1], .count = count, .trouble = "", .can_fetch = true};
    out->host_keys = host_keys;
    out->host_key_count = is_box1 ? 0 : 2;
    out->has_clock = true;
    out->clock_offset_s = is_box1 ? 3600 : -3;
}

static int view(void *ctx, int64_t machine_id, struct machine_view *out) {
    struct stand *stand = ctx;
    bool is_box1 = strcmp(out->name, "box1") == 0, is_hostile = strcmp(stand->scene, "hostile") == 0;
    bool has_sockets = is_box1 && strcmp(stand->scene, "sockets") == 0;
    (void)machine_id;
    if (strcmp(out->name, "attic") == 0) {
        return SP_ENOENT;
    }
    out->since = stand->started - 7400;
    if (strcmp(stand->scene, "offline") == 0 && is_box1) {
        return 0;
    }
    out->online = true;
    out->route = ROUTE_RELAYED;
    out->version = "0.1.0";
    out->services = is_hostile ? hostile : has_sockets ? sockets : is_box1 ? stand->jupyter : bare;
    out->service_count = is_hostile ? 3 : has_sockets ? 2 : is_box1 ? 4 : 1;
    out->status = &stand->status[is_box1 ? 0 : 1];
    stand->status[0].filesystems = is_hostile ? odd_disks : disks;
    if (str_starts(out->name, "box1") || str_starts(out->name, "box2")) {
        view_ways(stand, out, is_box1, is_box1 && is_hostile);
    }
    return 0;
}

static void fill_status(struct stand *stand) {
    struct status big, small;
    status_init(&big);
    big.uptime_s = 446400;
    big.load_1m = 11.24;
    big.load_5m = 10.9;
    big.load_15m = 10.1;
    big.cpu_count = 16;
    big.memory_total_bytes = 64 * GIB;
    big.memory_used_bytes = 41 * GIB;
    big.swap_total_bytes = 0;
    big.swap_used_bytes = 0;
    big.filesystems = disks;
    big.filesystem_count = 2;
    status_init(&small);
    small.uptime_s = 5400;
    small.load_1m = 0.02;
    small.load_5m = 0.05;
    small.load_15m = 0.01;
    small.cpu_count = 4;
    small.memory_total_bytes = 8 * GIB;
    small.memory_used_bytes = 900 << 20;
    small.swap_total_bytes = 0;
    small.swap_used_bytes = 0;
    small.filesystems = disks;
    small.filesystem_count = 1;
    stand->status[0] = big;
    stand->status[1] = small;
}

static int set_notebook(struct stand *stand, const char *state) {
    stand->jupyter[1].notebooks.list[0].busy = strcmp(state, "busy") == 0;
    return 0;
}

static int add_machine(struct stand *stand, const char *name) {
    struct why why;
    int64_t id;
    return store_machine_add(stand->store, name, NULL, stand->started, &id, &why);
}

static int remove_machine(struct stand *stand, const char *name) {
    struct machine machine;
    int rc = store_machine_find(stand->store, name, &machine);
    return rc ? rc : store_machine_remove(stand->store, machine.id);
}

static int show_scene(struct stand *stand, const char *name) {
    static const char *const scenes[] = {"empty", "home", "offline", "hostile", "sockets"};
    static const char *const machines[] = {"attic", "box1", "box2"};
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        if (strcmp(name, scenes[i]) == 0) {
            stand->scene = scenes[i];
        }
    }
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        struct machine machine;
        bool there = store_machine_find(stand->store, machines[i], &machine) == 0;
        bool wanted = strcmp(stand->scene, "empty") != 0;
        int rc = 0;
        if (wanted && !there) {
            rc = add_machine(stand, machines[i]);
        } else if (!wanted && there) {
            rc = remove_machine(stand, machines[i]);
        }
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static int make_login(struct stand *stand, const char *name, char code[static SECRET_TOKEN_LEN + 1]) {
    struct user user;
    struct why why;
    uint8_t hash[DIGEST_SIZE];
    int64_t now = os_realtime_s();
    int rc = store_user_find(stand->store, name, &user);
    if (rc == SP_ENOENT) {
        enum role role = strcmp(name, "ada") == 0 || str_starts(name, "admin") ? ROLE_ADMIN : ROLE_MEMBER;
        rc = store_user_add(stand->store, name, role, NULL, now, &user.id, &why);
    }
    if (!rc) {
        rc = secret_token(code);
    }
    if (!rc) {
        rc = digest_sha256(code, SECRET_TOKEN_LEN, hash);
    }
    return rc ? rc : store_login_add(stand->store, hash, user.id, now, now + 600);
}

static int remove_users(struct stand *stand) {
    struct user *users = NULL;
    size_t count = 0;
    int rc = store_user_list(stand->store, &users, &count);
    for (size_t i = 0; !rc && i < count; i++) {
        rc = store_user_remove(stand->store, users[i].id);
    }
    free(users);
    return rc;
}

static int set_load(struct stand *stand, const char *text) {
    uint64_t load;
    int rc = str_u64(text, 0, 1000, &load);
    if (!rc) {
        stand->status[0].load_1m = (double)load;
    }
    return rc;
}

struct order {
    const char *word;
    int (*obey)(struct stand *stand, const char *rest);
};

static const struct order changes[] = {
    {"show ", show_scene},  {"load ", set_load},        {"notebook ", set_notebook},
    {"join ", add_machine}, {"leave ", remove_machine},
};

static int change_machines(struct stand *stand, const char *line) {
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        if (str_starts(line, changes[i].word)) {
            int rc = changes[i].obey(stand, line + strlen(changes[i].word));
            web_machines_changed(stand->web);
            return rc;
        }
    }
    return SP_EINVAL;
}

static void obey(struct stand *stand, char *line) {
    char code[SECRET_TOKEN_LEN + 1];
    int rc;
    if (str_starts(line, "login ")) {
        rc = make_login(stand, line + 6, code);
        if (!rc) {
            printf("/login/%s\n", code);
            return;
        }
    } else if (strcmp(line, "logout") == 0) {
        rc = remove_users(stand);
        web_rights_changed(stand->web);
    } else {
        rc = change_machines(stand, line);
    }
    printf("%s\n", rc ? err_text(rc) : "ok");
}

static void orders_ready(void *ctx, uint32_t events) {
    struct stand *stand = ctx;
    uint8_t *tail;
    (void)events;
    if (buf_reserve(&stand->typed, 256, &tail)) {
        abort();
    }
    ssize_t n = read(STDIN_FILENO, tail, 256);
    if (n <= 0) {
        loop_stop(stand->loop);
        return;
    }
    buf_commit(&stand->typed, (size_t)n);
    const char *text = buf_string(&stand->typed);
    const char *end = text ? strchr(text, '\n') : NULL;
    while (end) {
        char line[256];
        snprintf(line, sizeof(line), "%.*s", (int)(end - text), text);
        buf_consume(&stand->typed, (size_t)(end - text) + 1);
        obey(stand, line);
        fflush(stdout);
        text = buf_string(&stand->typed);
        end = text ? strchr(text, '\n') : NULL;
    }
}

static void listener_ready(void *ctx, uint32_t events) {
    struct stand *stand = ctx;
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    int one = 1;
    (void)events;
    int fd = accept4(stand->listener.fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        (void)web_accept(stand->web, fd, &peer, true, loop_now(stand->loop) + 20000, NULL, NULL);
    }
}

static int listen_on(uint16_t *port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(*port)};
    socklen_t len = sizeof(address);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
        bind(fd, (struct sockaddr *)&address, len) || listen(fd, 64) ||
        getsockname(fd, (struct sockaddr *)&address, &len)) {
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

int main(int argc, char **argv) {
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    struct stand stand = {.scene = "home", .started = os_realtime_s()};
    struct why why = {""};
    uint64_t wanted = 0;
    char cert[512], key[512], db[512];
    if (argc < 3 || argc > 4 || str_u64(argv[2], 0, 65535, &wanted)) {
        fprintf(stderr, "usage: stand DIR PORT [SOCKETS]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    uint16_t port = (uint16_t)wanted;
    int fd = listen_on(&port);
    buf_init(&stand.typed);
    fill_status(&stand);
    memcpy(stand.jupyter, usual, sizeof(usual));
    if (fd < 0 || os_path(cert, sizeof(cert), argv[1], "cert.pem") || os_path(key, sizeof(key), argv[1], "key.pem") ||
        os_path(db, sizeof(db), argv[1], "relay.db") || tls_self_signed(cert, key, hosts, 2, &why) ||
        tls_server_new(cert, key, &stand.tls, &why) || store_open(db, &stand.store, &why) || loop_new(&stand.loop)) {
        fprintf(stderr, "stand: %s\n", why.text);
        return 1;
    }
    struct web_config config = {
        .loop = stand.loop,
        .source = {stand.store, view, &stand},
        .now = os_realtime_s,
        .tls = stand.tls,
        .hosts = hosts,
        .host_count = 2,
        .port = port,
        .fingerprint = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        .open = upstream_open,
        .open_ctx = &stand.upstream,
    };
    stand.upstream = (struct upstream){stand.loop, argc == 4 ? argv[3] : NULL};
    loop_fd_init(&stand.listener);
    loop_fd_init(&stand.orders);
    if (web_new(&config, &stand.web) || show_scene(&stand, argc == 4 ? "sockets" : "home") ||
        loop_fd_add(stand.loop, &stand.listener, fd, EPOLLIN, listener_ready, &stand) ||
        loop_fd_add(stand.loop, &stand.orders, STDIN_FILENO, EPOLLIN, orders_ready, &stand)) {
        return 1;
    }
    printf("%u\n", port);
    fflush(stdout);
    int rc = loop_run(stand.loop);
    web_free(stand.web);
    tls_server_free(stand.tls);
    store_close(stand.store);
    loop_fd_remove(&stand.listener);
    loop_fd_remove(&stand.orders);
    buf_fini(&stand.typed);
    loop_free(stand.loop);
    return rc ? 1 : 0;
}
