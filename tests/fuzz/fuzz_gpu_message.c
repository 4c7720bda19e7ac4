/* What a child that a GPU's driver has taken over may say: twice in a row, so that what is remembered meets it, too. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_local.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct gpu_known *known, const uint8_t *data, size_t size) {
    uint32_t indices = 0;
    struct status sample;
    if (gpu_message_read((const char *)data, size, &sample) != 0)
        return;
    (void)gpu_known_take(known, &sample);
    status_fini(&sample);
    for (size_t i = 0; i < known->now.gpu_count; i++) {
        const struct gpu *gpu = &known->now.gpus[i];
        if (gpu->index < 0 || gpu->index >= STATUS_GPUS_MAX || indices >> gpu->index & 1 || gpu->id[0] == '\0')
            abort();
        indices |= UINT32_C(1) << gpu->index;
    }
    for (size_t i = 0; i < known->now.process_count; i++) {
        const struct process *process = &known->now.processes[i];
        if (process->pid <= 0 || process->gpus == 0 || process->gpus & ~indices || process->command[0] != '\0')
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct gpu_known known;
    const uint8_t *second = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t first = second ? (size_t)(second - data) : size;
    gpu_known_init(&known);
    take(&known, data, first);
    gpu_known_restart(&known);
    if (second)
        take(&known, second + 1, size - first - 1);
    gpu_known_hang(&known);
    gpu_known_fini(&known);
    return 0;
}
