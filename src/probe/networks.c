#include "networks.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_file.h"
#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

/* A machine with hundreds of containers has as many networks. */
#define NET_DEV_SIZE (64UL * 1024)

static bool is_real(const char *root, const char *name) {
    if (!kernel_has(root, "/sys/class/net/%s/device", name) && !kernel_has(root, "/sys/class/net/%s/bonding", name))
        return false;
    return !kernel_has(root, "/sys/class/net/%s/bonding_slave", name);
}

/* "  eth0: RECEIVED packets errs drop fifo frame compressed multicast SENT ..." */
static bool parse_line(char *line, struct network_counters *out) {
    enum { RECEIVED = 0, SENT = 8, COLUMNS = 9 };
    uint64_t columns[COLUMNS];
    char *name = line + strspn(line, " ");
    char *colon = strrchr(line, ':');
    if (colon == NULL)
        return false;
    *colon = '\0';
    const char *at = colon + 1;
    for (int i = 0; i < COLUMNS; i++) {
        char *end;
        columns[i] = strtoull(at, &end, 10);
        if (end == at)
            return false;
        at = end;
    }
    /* the kernel forbids both in a name, and a path is made of it */
    if (strchr(name, '/') != NULL || name[0] == '.' || !str_is_clean(name, strlen(name)))
        return false;
    out->received = columns[RECEIVED];
    out->sent = columns[SENT];
    return name[0] != '\0' && str_copy(out->name, sizeof out->name, name) == 0;
}

static void parse_all(char *text, const char *root, struct networks *out) {
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (out->count == STATUS_NETWORKS_MAX)
            return;
        if (parse_line(line, &out->items[out->count]) && is_real(root, out->items[out->count].name))
            out->count++;
    }
}

static const struct network_counters *find(const struct networks *networks, const char *name) {
    for (size_t i = 0; i < networks->count; i++)
        if (strcmp(networks->items[i].name, name) == 0)
            return &networks->items[i];
    return NULL;
}

static void add(double *sum, double rate) {
    *sum = isnan(*sum) ? rate : *sum + rate;
}

static int tell(const struct networks *before, const struct networks *now, struct status *out) {
    double seconds = now->at_ms > before->at_ms ? (double)(now->at_ms - before->at_ms) / 1000 : NAN;
    for (size_t i = 0; i < now->count; i++) {
        const struct network_counters *one = &now->items[i], *old = find(before, one->name);
        struct network *network = status_add(out, "networks");
        if (network == NULL)
            return SP_ENOMEM;
        memcpy(network->name, one->name, strlen(one->name) + 1);
        if (old == NULL || isnan(seconds) || one->received < old->received || one->sent < old->sent)
            continue;
        network->received_bytes_per_second = (double)(one->received - old->received) / seconds;
        network->sent_bytes_per_second = (double)(one->sent - old->sent) / seconds;
        add(&out->received_bytes_per_second, network->received_bytes_per_second);
        add(&out->sent_bytes_per_second, network->sent_bytes_per_second);
    }
    return 0;
}

int networks_sample(const char *root, uint64_t now_ms, struct networks *before, struct status *out) {
    struct networks now = {.at_ms = now_ms};
    char *text = malloc(NET_DEV_SIZE);
    if (text == NULL)
        return SP_ENOMEM;
    if (kernel_text(text, NET_DEV_SIZE, root, "/proc/net/dev") == 0)
        parse_all(text, root, &now);
    free(text);
    int rc = tell(before, &now, out);
    *before = now;
    return rc;
}
