/* One request to the port mapper from the command line, its result as JSON: for test_portmap.py.
 * usage: portmap_probe map|check|unmap|gateways [NAME=VALUE...]
 *   use=auto|upnp|pcp internal=PORT wanted=PORT lease=SECONDS deadline=MS ipv6=0|1 memory=FILE cancel=MS
 *   gateway4=A gateway6=A address6=A instead of what the kernel says */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sallyport/base/loop.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/portmap.h"

struct probe {
    struct loop *loop;
    struct portmap_request request;
    struct portmap_result result;
    struct portmap *portmap;
    struct loop_timer cancel;
    uint64_t deadline_ms, cancel_ms;
    const char *memory;
    unsigned answers;
};

static void probe_done(void *ctx, const struct portmap_result *result) {
    struct probe *probe = ctx;
    probe->result = *result;
    probe->portmap = NULL;
    probe->answers++;
    loop_stop(probe->loop);
}

static void probe_cancel(void *ctx) {
    struct probe *probe = ctx;
    portmap_cancel(probe->portmap);
    loop_stop(probe->loop);
}

static int probe_find(const char *word, const char *const *words, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    return -1;
}

static void probe_read_memory(struct probe *probe) {
    FILE *file = probe->memory ? fopen(probe->memory, "rbe") : NULL;
    if (!file)
        return;
    if (fread(&probe->request.memory, sizeof probe->request.memory, 1, file) != 1)
        memset(&probe->request.memory, 0, sizeof probe->request.memory);
    (void)fclose(file);
}

static int probe_option(struct probe *probe, char *word) {
    static const char *const uses[] = {"auto", "upnp", "pcp"};
    struct portmap_request *request = &probe->request;
    char *value = strchr(word, '=');
    uint64_t number = 0;
    if (!value)
        return SP_EINVAL;
    *value++ = '\0';
    (void)str_u64(value, 0, UINT32_MAX, &number);
    if (strcmp(word, "use") == 0)
        request->use = (enum portmap_use)probe_find(value, uses, 3);
    else if (strcmp(word, "internal") == 0)
        request->internal_port = (uint16_t)number;
    else if (strcmp(word, "wanted") == 0)
        request->wanted_port = (uint16_t)number;
    else if (strcmp(word, "lease") == 0)
        request->lease_s = (uint32_t)number;
    else if (strcmp(word, "deadline") == 0)
        probe->deadline_ms = number;
    else if (strcmp(word, "cancel") == 0)
        probe->cancel_ms = number;
    else if (strcmp(word, "ipv6") == 0)
        request->ipv6 = number == 1;
    else if (strcmp(word, "memory") == 0)
        probe->memory = value;
    else if (strcmp(word, "gateway4") == 0)
        return str_copy(request->gateway4, sizeof request->gateway4, value);
    else if (strcmp(word, "gateway6") == 0)
        return str_copy(request->gateway6, sizeof request->gateway6, value);
    else if (strcmp(word, "address6") == 0)
        return str_copy(request->address6, sizeof request->address6, value);
    else
        return SP_EINVAL;
    return 0;
}

static void probe_print(const struct probe *probe, uint64_t took_ms) {
    static const char *const outcomes[] = {"ok", "lost", "no router", "refused", "broken"};
    static const char *const protocols[] = {"", "upnp", "nat-pmp", "pcp"};
    const struct portmap_result *result = &probe->result;
    const struct portmap_memory *memory = &result->memory;
    errno = 0;
    bool childless = waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
    json_t *out = json_pack("{s:s s:i s:s s:s s:s s:s s:s s:i s:i s:s s:s s:b s:s s:i s:i s:b s:i}", "outcome",
                            outcomes[result->outcome], "lease_s", (int)result->lease_s, "router", result->router,
                            "trouble", result->trouble, "protocol", protocols[memory->protocol], "gateway",
                            memory->gateway, "url", memory->url, "internal_port", (int)memory->internal_port,
                            "external_port", (int)memory->external_port, "internal_address", memory->internal_address,
                            "external_address", memory->external_address, "permanent", (int)memory->permanent,
                            "pinhole", memory->pinhole, "pinhole_id", (int)memory->pinhole_id, "took_ms", (int)took_ms,
                            "childless", (int)childless, "answers", (int)probe->answers);
    (void)json_dumpf(out, stdout, 0);
    (void)printf("\n");
    json_decref(out);
}

static int probe_run(struct probe *probe) {
    uint64_t began = os_monotonic_ms();
    int rc = loop_new(&probe->loop);
    if (rc != 0)
        return 1;
    loop_timer_init(probe->loop, &probe->cancel, probe_cancel, probe);
    rc = portmap_start(probe->loop, &probe->request, probe->deadline_ms, probe_done, probe, &probe->portmap);
    if (rc == 0 && probe->cancel_ms)
        rc = loop_timer_set(&probe->cancel, probe->cancel_ms);
    if (rc == 0)
        rc = loop_run(probe->loop);
    loop_timer_stop(&probe->cancel);
    loop_free(probe->loop);
    if (rc != 0)
        return 1;
    probe_print(probe, os_monotonic_ms() - began);
    FILE *file = probe->memory && probe->answers ? fopen(probe->memory, "wbe") : NULL;
    if (!file)
        return 0;
    size_t wrote = fwrite(&probe->result.memory, sizeof probe->result.memory, 1, file);
    return fclose(file) == 0 && wrote == 1 ? 0 : 1;
}

int main(int argc, char **argv) {
    static const char *const ops[] = {"map", "check", "unmap", "gateways"};
    int status = portmap_worker_main(argc, argv);
    if (status >= 0)
        return status;
    static struct probe probe = {.deadline_ms = 15000};
    int op = argc > 1 ? probe_find(argv[1], ops, 4) : -1;
    if (op < 0)
        return 2;
    probe.request.internal_port = 41234;
    probe.request.lease_s = 3600;
    portmap_find_gateways(&probe.request);
    for (int i = 2; i < argc; i++)
        if (probe_option(&probe, argv[i]) != 0)
            return 2;
    if (op == 3) {
        (void)printf("{\"gateway4\":\"%s\",\"gateway6\":\"%s\",\"address6\":\"%s\"}\n", probe.request.gateway4,
                     probe.request.gateway6, probe.request.address6);
        return 0;
    }
    probe_read_memory(&probe);
    probe.request.op = (enum portmap_op)op;
    return probe_run(&probe);
}
