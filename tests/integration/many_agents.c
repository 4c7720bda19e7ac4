/* A load for the tests: many machines in one process. Each holds a connection to the relay, one forward whose streams
 * are echoed, and the link with its hello and pings.
 *
 *   many_agents keys DIR COUNT          makes DIR/N and DIR/N.pub, N from 0
 *   many_agents run PORT DIR COUNT [STATUS]    logs in as load0, load1, ...; says `ready` when all are in; ends with stdin.
 *                                              STATUS: a file with a line that each says every 10 s */
#include <errno.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PING_MS 6000
#define STATUS_MS 10000
#define LINE_MAX_LEN 65535

struct machine {
    ssh_session session;
    ssh_event event;
    ssh_channel link;
    struct ssh_channel_callbacks_struct echo;
    int64_t pinged; /* ms */
    int64_t told;
    bool lost;
};

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int make_keys(const char *dir, unsigned count) {
    for (unsigned n = 0; n < count; n++) {
        char path[4096], public[4096 + 4];
        snprintf(path, sizeof path, "%s/%u", dir, n);
        snprintf(public, sizeof public, "%s.pub", path);
        ssh_key key = NULL;
        if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK ||
            ssh_pki_export_privkey_file(key, NULL, NULL, NULL, path) != SSH_OK ||
            ssh_pki_export_pubkey_file(key, public) != SSH_OK) {
            fprintf(stderr, "cannot make the key %s\n", path);
            ssh_key_free(key);
            return 1;
        }
        ssh_key_free(key);
    }
    return 0;
}

static int echo_data(ssh_session session, ssh_channel channel, void *data, uint32_t len, int is_stderr, void *ctx) {
    (void)session, (void)is_stderr, (void)ctx;
    int written = ssh_channel_write(channel, data, len);
    return written < 0 ? 0 : written;
}

static void echo_end(ssh_session session, ssh_channel channel, void *ctx) {
    (void)session, (void)ctx;
    ssh_channel_send_eof(channel);
    ssh_channel_close(channel);
}

/* The relay opens a channel for a stream: take it, and send back whatever comes. */
static int take_stream(ssh_session session, ssh_message message, void *ctx) {
    (void)session;
    struct machine *machine = ctx;
    if (ssh_message_type(message) != SSH_REQUEST_CHANNEL_OPEN ||
        ssh_message_subtype(message) != SSH_CHANNEL_FORWARDED_TCPIP)
        return 1;
    ssh_channel channel = ssh_message_channel_request_open_reply_accept(message);
    if (channel)
        ssh_set_channel_callbacks(channel, &machine->echo);
    return 0;
}

static void say(ssh_channel link, const char *line) {
    ssh_channel_write(link, line, (uint32_t)strlen(line));
}

static int open_link(struct machine *machine, const char *name) {
    char hello[256];
    snprintf(hello, sizeof hello,
             "{\"kind\":\"hello\",\"protocol\":1,\"version\":\"0.0.1\",\"name\":\"%s\",\"boot_id\":\"load\"}\n", name);
    machine->link = ssh_channel_new(machine->session);
    if (!machine->link || ssh_channel_open_session(machine->link) != SSH_OK ||
        ssh_channel_request_subsystem(machine->link, "sallyport") != SSH_OK)
        return -1;
    say(machine->link, hello);
    say(machine->link, "{\"kind\":\"services\",\"services\":[{\"name\":\"echo\",\"kind\":\"tcp\",\"port\":7777,"
                       "\"state\":\"up\"}]}\n");
    return 0;
}

static int log_in(struct machine *machine, unsigned port, const char *dir, unsigned n) {
    char name[32], path[4096];
    bool yes = true, no = false;
    ssh_key key = NULL;
    int rc = -1;
    snprintf(name, sizeof name, "load%u", n);
    snprintf(path, sizeof path, "%s/%u", dir, n);
    machine->session = ssh_new();
    if (!machine->session || ssh_pki_import_privkey_file(path, NULL, NULL, NULL, &key) != SSH_OK)
        goto out;
    ssh_options_set(machine->session, SSH_OPTIONS_PROCESS_CONFIG, &no);
    ssh_options_set(machine->session, SSH_OPTIONS_HOST, "127.0.0.1");
    ssh_options_set(machine->session, SSH_OPTIONS_PORT, &port);
    ssh_options_set(machine->session, SSH_OPTIONS_USER, name);
    ssh_options_set(machine->session, SSH_OPTIONS_NODELAY, &yes);
    if (ssh_connect(machine->session) != SSH_OK ||
        ssh_userauth_publickey(machine->session, NULL, key) != SSH_AUTH_SUCCESS)
        goto out;
    machine->echo.size = sizeof machine->echo;
    machine->echo.channel_data_function = echo_data;
    machine->echo.channel_eof_function = echo_end;
    ssh_set_message_callback(machine->session, take_stream, machine);
    if (open_link(machine, name) != 0 || ssh_channel_listen_forward(machine->session, "echo", 7777, NULL) != SSH_OK)
        goto out;
    ssh_set_blocking(machine->session, 0);
    machine->event = ssh_event_new();
    if (machine->event && ssh_event_add_session(machine->event, machine->session) == SSH_OK)
        rc = 0;
out:
    if (rc != 0)
        fprintf(stderr, "%s: %s\n", name, machine->session ? ssh_get_error(machine->session) : "out of memory");
    ssh_key_free(key);
    return rc;
}

/* Reads what came, and pings and says `status` (NULL: nothing) when it is time. */
static void drive(struct machine *machine, bool readable, const char *status, int64_t now) {
    char bytes[4096];
    if (readable) {
        int rc = SSH_OK;
        for (int turn = 0; turn < 64 && rc == SSH_OK; turn++)
            rc = ssh_event_dopoll(machine->event, 0);
        machine->lost = rc == SSH_ERROR || !ssh_is_connected(machine->session);
        while (!machine->lost && ssh_channel_read_nonblocking(machine->link, bytes, sizeof bytes, 0) > 0)
            continue;
    }
    if (!machine->lost && now - machine->pinged > PING_MS) {
        machine->pinged = now;
        say(machine->link, "{\"kind\":\"ping\",\"n\":1}\n");
    }
    if (!machine->lost && status && now - machine->told > STATUS_MS) {
        machine->told = now;
        say(machine->link, status);
    }
}

/* Until standard input ends. Returns how many machines were lost meanwhile. */
static unsigned serve(struct machine *machines, struct pollfd *polled, unsigned count, const char *status) {
    unsigned lost = 0;
    for (unsigned n = 0; n < count; n++)
        polled[n] = (struct pollfd){.fd = ssh_get_fd(machines[n].session), .events = POLLIN};
    polled[count] = (struct pollfd){.fd = 0, .events = POLLIN};
    for (;;) {
        if (poll(polled, count + 1, 200) < 0 && errno != EINTR)
            return count;
        if (polled[count].revents)
            return lost;
        int64_t now = now_ms();
        for (unsigned n = 0; n < count; n++) {
            if (machines[n].lost)
                continue;
            drive(&machines[n], polled[n].revents != 0, status, now);
            if (machines[n].lost) {
                fprintf(stderr, "load%u was lost\n", n);
                polled[n].fd = -1;
                lost++;
            }
        }
    }
}

static void drop(struct machine *machine) {
    if (machine->event) {
        ssh_event_remove_session(machine->event, machine->session);
        ssh_event_free(machine->event);
    }
    ssh_free(machine->session);
}

static int run(unsigned port, const char *dir, unsigned count, const char *said) {
    struct machine *machines = calloc(count, sizeof *machines);
    struct pollfd *polled = calloc(count + 1, sizeof *polled);
    int status = 1;
    if (!machines || !polled)
        goto out;
    for (unsigned n = 0; n < count; n++) {
        if (log_in(&machines[n], port, dir, n) != 0)
            goto out;
        machines[n].pinged = now_ms();
        /* Not all at once. */
        machines[n].told = now_ms() - STATUS_MS * n / count;
        /* Those that came first must not fall silent while the last ones log in. */
        for (unsigned earlier = 0; n % 50 == 49 && earlier < n; earlier++)
            drive(&machines[earlier], true, NULL, now_ms());
    }
    puts("ready");
    fflush(stdout);
    status = serve(machines, polled, count, said) == 0 ? 0 : 1;
out:
    for (unsigned n = 0; machines && n < count; n++)
        drop(&machines[n]);
    free(machines);
    free(polled);
    return status;
}

static bool read_line(const char *path, char to[static LINE_MAX_LEN + 1]) {
    FILE *file = fopen(path, "re");
    bool good = file && fgets(to, LINE_MAX_LEN + 1, file);
    if (!good)
        fprintf(stderr, "cannot read %s\n", path);
    if (file)
        fclose(file);
    return good;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "keys") == 0)
        return make_keys(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
    if ((argc == 5 || argc == 6) && strcmp(argv[1], "run") == 0) {
        static char line[LINE_MAX_LEN + 1];
        if (argc == 6 && !read_line(argv[5], line))
            return 1;
        return run((unsigned)strtoul(argv[2], NULL, 10), argv[3], (unsigned)strtoul(argv[4], NULL, 10),
                   argc == 6 ? line : NULL);
    }
    fprintf(stderr, "usage: many_agents keys DIR COUNT | run PORT DIR COUNT [STATUS]\n");
    return 2;
}
