#include "sallyport/probe/system.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "disks.h"
#include "kernel_file.h"
#include "memory.h"
#include "networks.h"
#include "sallyport/base/err.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "slow.h"

struct system_probe {
    char *root;
    struct cpu_counters cpu;
    struct networks networks;
    struct slow *slow;
    struct disks *disks;
    bool power_is_whole; /* in the last sample */
};

int system_probe_new(struct loop *loop, struct work *work, const char *root, struct system_probe **out) {
    struct system_probe *probe = calloc(1, sizeof *probe);
    if (probe == NULL)
        return SP_ENOMEM;
    probe->root = strdup(root);
    int rc = probe->root == NULL ? SP_ENOMEM : slow_new(work, root, &probe->slow);
    if (rc == 0)
        rc = disks_new(loop, root, &probe->disks);
    if (rc != 0) {
        system_probe_free(probe);
        return rc;
    }
    if (work != NULL)
        slow_begin(probe->slow, loop == NULL ? os_monotonic_ms() : loop_now(loop));
    *out = probe;
    return 0;
}

void system_probe_free(struct system_probe *probe) {
    if (probe == NULL)
        return;
    slow_free(probe->slow);
    disks_free(probe->disks);
    free(probe->root);
    free(probe);
}

int system_probe_sample(struct system_probe *probe, uint64_t now_ms, struct status *out) {
    status_init(out);
    cpu_sample(probe->root, &probe->cpu, out);
    memory_sample(probe->root, out);
    probe->power_is_whole = false;
    slow_begin(probe->slow, now_ms);
    int rc = slow_sample(probe->slow, now_ms, out, &probe->power_is_whole);
    if (rc == 0)
        rc = networks_sample(probe->root, now_ms, &probe->networks, out);
    if (rc == 0)
        rc = disks_sample(probe->disks, now_ms, out);
    return rc;
}

void system_probe_add_gpu_power(const struct system_probe *probe, struct status *status) {
    if (probe->power_is_whole)
        return;
    for (size_t i = 0; i < status->gpu_count; i++) {
        const struct gpu *gpu = &status->gpus[i];
        /* one that shares the machine's memory is a part of the processor, whose figure has it */
        if (isnan(gpu->power_watts) || (gpu->memory_shared && !isnan(status->power_watts)))
            continue;
        status->power_watts = isnan(status->power_watts) ? gpu->power_watts : status->power_watts + gpu->power_watts;
    }
}

int system_boot_id(const char *root, char to[static SYSTEM_BOOT_ID_SIZE]) {
    char text[64] = "";
    int rc = kernel_text(text, sizeof text, root, "/proc/sys/kernel/random/boot_id");
    if (rc != 0)
        return rc;
    if (strlen(text) != SYSTEM_BOOT_ID_SIZE - 1 || text[strspn(text, "0123456789abcdef-")] != '\0')
        return SP_EFORMAT;
    return str_copy(to, SYSTEM_BOOT_ID_SIZE, text);
}

int system_hostname(const char *root, char *to, size_t size) {
    char text[256] = "";
    int rc = kernel_text(text, sizeof text, root, "/proc/sys/kernel/hostname");
    if (rc != 0)
        return rc;
    if (text[0] == '\0' || !str_is_clean(text, strlen(text)))
        return SP_EFORMAT;
    return str_copy(to, size, text);
}
