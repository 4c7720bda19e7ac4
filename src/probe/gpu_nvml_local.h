/* What the files about NVIDIA's GPUs share. */
#ifndef SALLYPORT_PROBE_GPU_NVML_LOCAL_H
#define SALLYPORT_PROBE_GPU_NVML_LOCAL_H

#include "gpu_local.h"
#include "gpu_nvml.h"

enum { NVML_ADDRESS_SIZE = 16 };

struct nvml_gpu {
    void *device;                    /* NULL: not attached: it sleeps, or was lost */
    char address[NVML_ADDRESS_SIZE]; /* as in /sys/bus/pci/devices; "": not known */
    bool is_lost;                    /* it was seen to fall off: not asked again */
    bool has_events;                 /* Xids are counted */
    uint64_t slow_at_ms;             /* when the values that change rarely were read; 0: never */
    uint64_t use_since_us;           /* what was read of its processes' utilisation */
    struct gpu told;                 /* as of the last sample */
};

/* Reads what changes with each sample, and what changes rarely when `slowly`, into gpu->told, which was blank but for its
 * names and the slow values. Sets is_lost when the driver says so. */
void nvml_read_gpu(const struct nvml_api *api, const char *root, struct nvml_gpu *gpu, bool slowly);
/* Adds its processes. */
void nvml_read_processes(const struct nvml_api *api, struct nvml_gpu *gpu, struct gpu_users *users);
/* Whether a function did what it should; notes when the GPU is gone. */
bool nvml_is_good(struct nvml_gpu *gpu, int code);

#endif
