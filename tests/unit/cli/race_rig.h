/* A relay's door and machines' doors that do as they are told, each in a thread, and a client that knows the relay. */
#ifndef SALLYPORT_TEST_CLI_RACE_RIG_H
#define SALLYPORT_TEST_CLI_RACE_RIG_H

#include "folder.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "race.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"

#define LAN_ADDRESS "10.77.0.1"
#define PUBLIC_ADDRESS "20.77.0.1" /* looks public, and is this namespace's own */
#define KNOCK "AAAAAAAAAAAAAAAAAAAAAA"

enum door_does { DOOR_DOES_WELL, DOOR_CLOSES, DOOR_IS_SILENT, DOOR_TALKS_NONSENSE, DOOR_REFUSES_TICKETS };
enum asked_does { ASKED_ANSWERS, ASKED_SAYS_NO, ASKED_BY_ANOTHER_KEY, ASKED_CLOSES };

struct fake {
    int listener;
    uint16_t port;
    pthread_t thread;
    bool is_relay;
    atomic_int door;  /* enum door_does */
    atomic_int asked; /* enum asked_does */
    uint8_t key[SEALED_KEY_SIZE];
    struct answer answer;
    pthread_mutex_t mutex; /* over `ask` */
    struct ask ask;        /* the last question */
    char ticket[1200];     /* of the last `raw` */
    atomic_uint connections, tickets;
};

struct rig {
    struct cli cli;
    struct fake relay, door;
    struct race race;
    char ssh[600]; /* what a made-up ssh prints */
};

/* Whether the client's clock stands still: then a door that is good wins, however late it comes to answer. */
static atomic_bool time_stands;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
uint64_t __wrap_os_monotonic_ms(void);
uint64_t __real_os_monotonic_ms(void);

uint64_t __wrap_os_monotonic_ms(void) {
    static const uint64_t long_ago = 1000;
    return time_stands ? long_ago : __real_os_monotonic_ms();
}
/* NOLINTEND(bugprone-reserved-identifier) */

static inline void fake_say(int fd, const char *text) {
    (void)!write(fd, text, strlen(text));
}

/* False at the end. */
static inline bool fake_line(int fd, char *line, size_t size) {
    for (size_t n = 0; n + 1 < size; n++) {
        if (read(fd, line + n, 1) != 1)
            return false;
        if (line[n] == '\n') {
            line[n + 1] = '\0';
            return true;
        }
    }
    return false;
}

static inline void fake_ask(struct fake *fake, int fd, const char *argument) {
    static const char question_bound[] = "sallyport ask 1";
    uint8_t nonce[SEALED_NONCE_SIZE], bound[18 + SEALED_NONCE_SIZE], other[SEALED_KEY_SIZE] = {1};
    struct buf plain, text, sealed;
    struct ask parsed;
    buf_init(&plain);
    buf_init(&text);
    buf_init(&sealed);
    const char *dot = strchr(argument, '.');
    if (dot && fake->asked != ASKED_SAYS_NO &&
        sealed_open(fake->key, question_bound, 15, dot + 1, strlen(dot + 1), &plain, nonce) == 0 &&
        ask_parse((const char *)buf_head(&plain), buf_len(&plain), &parsed, NULL) == 0 &&
        answer_format(&text, &fake->answer) == 0) {
        (void)pthread_mutex_lock(&fake->mutex);
        fake->ask = parsed;
        (void)pthread_mutex_unlock(&fake->mutex);
        for (size_t i = 0; i < 18; i++)
            bound[i] = (uint8_t) "sallyport answer 1"[i];
        memcpy(bound + 18, nonce, sizeof nonce);
        (void)sealed_make(fake->asked == ASKED_BY_ANOTHER_KEY ? other : fake->key, bound, sizeof bound, buf_head(&text),
                          buf_len(&text), &sealed, NULL);
        fake_say(fd, "SALLY1 ok ");
        fake_say(fd, buf_string(&sealed));
        fake_say(fd, "\n");
    } else {
        fake_say(fd, "SALLY1 no ask over SSH\n");
    }
    buf_fini(&plain);
    buf_fini(&text);
    buf_fini(&sealed);
}

static inline struct ask fake_last_ask(struct fake *fake) {
    (void)pthread_mutex_lock(&fake->mutex);
    struct ask ask = fake->ask;
    (void)pthread_mutex_unlock(&fake->mutex);
    return ask;
}

static inline bool fake_answer(struct fake *fake, int fd, const char *mode, const char *argument) {
    if (strcmp(mode, "raw") == 0) {
        (void)snprintf(fake->ticket, sizeof fake->ticket, "%s", argument);
        fake->tickets++;
        if (fake->door == DOOR_REFUSES_TICKETS) {
            fake_say(fd, "SALLY1 no it was used\n");
            return false;
        }
        fake_say(fd, fake->is_relay ? "SALLY1 ok\nSSH-relay\n" : "SALLY1 ok\nSSH-door\n");
        return true;
    }
    if (fake->is_relay && strcmp(mode, "ask") == 0) {
        if (fake->asked == ASKED_CLOSES)
            return false;
        fake_ask(fake, fd, argument);
        return true;
    }
    if (fake->is_relay || strcmp(mode, "knock") != 0 || fake->door == DOOR_CLOSES || strcmp(argument, KNOCK) != 0)
        return false;
    if (fake->door != DOOR_IS_SILENT)
        fake_say(fd, fake->door == DOOR_TALKS_NONSENSE ? "HTTP/1.1 400 Bad Request\r\n\r\n" : "SALLY1 ok\n");
    return true;
}

static inline void fake_guest(struct fake *fake, int fd) {
    char line[2048], mode[16], argument[1200];
    while (fake_line(fd, line, sizeof line)) {
        if (sscanf(line, "SALLY1 %15s %1199s", mode, argument) != 2 || /* NOLINT(cert-err34-c) */
            !fake_answer(fake, fd, mode, argument))
            break;
    }
    (void)close(fd);
}

struct guest {
    struct fake *fake;
    int fd;
};

static inline void *fake_guest_run(void *ctx) {
    struct guest *guest = ctx;
    fake_guest(guest->fake, guest->fd);
    free(guest);
    return NULL;
}

/* Until its listener is shut down; it has no more than a few guests, who are all gone then. */
static inline void *fake_run(void *ctx) {
    struct fake *fake = ctx;
    pthread_t guests[16];
    size_t n = 0;
    for (;;) {
        int fd = accept(fake->listener, NULL, NULL);
        if (fd < 0 || n == 16)
            break;
        struct guest *guest = malloc(sizeof *guest);
        *guest = (struct guest){.fake = fake, .fd = fd};
        fake->connections++;
        (void)pthread_create(&guests[n++], NULL, fake_guest_run, guest);
    }
    while (n > 0)
        (void)pthread_join(guests[--n], NULL);
    return NULL;
}

static inline void fake_start(struct fake *fake, const char *address) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(fake->port)};
    int one = 1;
    socklen_t len = sizeof at;
    assert_int_equal(inet_pton(AF_INET, address, &at.sin_addr), 1);
    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fake->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(fake->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fake->listener, 16), 0);
    assert_int_equal(getsockname(fake->listener, (struct sockaddr *)&at, &len), 0);
    fake->port = ntohs(at.sin_port);
    assert_int_equal(pthread_mutex_init(&fake->mutex, NULL), 0);
    assert_int_equal(pthread_create(&fake->thread, NULL, fake_run, fake), 0);
}

static inline void fake_stop(struct fake *fake) {
    if (fake->listener <= 0)
        return;
    (void)shutdown(fake->listener, SHUT_RDWR);
    (void)pthread_join(fake->thread, NULL);
    (void)pthread_mutex_destroy(&fake->mutex);
    (void)close(fake->listener);
    fake->listener = 0;
    fake->port = 0;
}

/* Are we alone in a network namespace, so that addresses may be made up? Then they are there. */
static inline bool rig_addresses(void) {
    struct if_nameindex *all = if_nameindex();
    bool alone = all && all[0].if_index && strcmp(all[0].if_name, "lo") == 0 && !all[1].if_index;
    if_freenameindex(all);
    return alone && geteuid() == 0 &&
           system("ip addr replace " LAN_ADDRESS "/32 dev lo && ip addr replace " PUBLIC_ADDRESS /* NOLINT */
                  "/32 dev lo") == 0;
}

/* A machine at LAN_ADDRESS or PUBLIC_ADDRESS, as the relay tells of it. */
static inline void rig_way(struct rig *rig, bool lan, uint16_t port) {
    struct answer_way *way = &rig->relay.answer.ways[rig->relay.answer.way_count++];
    *way = (struct answer_way){.lan = lan, .port = port};
    (void)str_copy(way->address, sizeof way->address, lan ? LAN_ADDRESS : PUBLIC_ADDRESS);
    (void)str_copy(rig->relay.answer.knock, sizeof rig->relay.answer.knock, KNOCK);
}

static inline void rig_ticket(char to[static TICKET_TEXT_SIZE], char letter) {
    uint8_t bytes[120];
    memset(bytes, letter, sizeof bytes);
    base64url_encode(to, bytes, sizeof bytes);
}

static inline int rig_set_up(void **state) {
    struct rig *rig = calloc(1, sizeof *rig);
    void *dir = NULL;
    char key[44];
    assert_non_null(rig);
    (void)folder_set_up(&dir);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)str_copy(rig->cli.state, sizeof rig->cli.state, dir);
    free(dir);
    rig->relay.is_relay = true;
    memset(rig->relay.key, 7, sizeof rig->relay.key);
    base64url_encode(key, rig->relay.key, sizeof rig->relay.key);
    void *folder = rig->cli.state;
    folder_write(&folder, "ask_key", key);
    struct answer *answer = &rig->relay.answer;
    *answer = (struct answer){.box = "box1", .service = "ssh", .kind = "ssh", .port = 22};
    rig_ticket(answer->door_ticket, 'd');
    rig_ticket(answer->relay_ticket, 'r');
    fake_start(&rig->relay, "127.0.0.1");
    rig->cli.client = (struct client){.host = "127.0.0.1", .port = rig->relay.port, .user = "alice", .key = "K"};
    *state = rig;
    return 0;
}

static inline int rig_tear_down(void **state) {
    struct rig *rig = *state;
    if (rig->race.cli)
        race_fini(&rig->race);
    fake_stop(&rig->relay);
    fake_stop(&rig->door);
    void *dir = strdup(rig->cli.state);
    (void)folder_tear_down(&dir);
    free(rig);
    return 0;
}

/* The whole race; what the stream says first is in `said`. Time passes only where a way is waited for in vain. */
static inline int rig_run(struct rig *rig, struct race_result *result, struct why *why, char said[static 32]) {
    time_stands = rig->door.door != DOOR_IS_SILENT && rig->relay.answer.way_count < 2;
    race_init(&rig->race, &rig->cli, "box1", "ssh", false);
    int rc = race_run(&rig->race, result, why);
    said[0] = '\0';
    if (rc == 0 && result->fd >= 0) {
        struct pollfd set = {.fd = result->fd, .events = POLLIN};
        assert_int_equal(poll(&set, 1, 20000), 1);
        ssize_t n = read(result->fd, said, 31);
        assert_true(n > 0);
        said[n] = '\0';
        (void)close(result->fd);
    }
    return rc;
}

#endif
