/* The figures of one GPU. What the driver does not have is not known. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gpu_nvml_local.h"
#include "memory.h"
#include "sallyport/base/str.h"

bool nvml_is_good(struct nvml_gpu *gpu, int code) {
    if (code == NVML_LOST || code == NVML_RESET_WANTED)
        gpu->is_lost = true;
    return code == NVML_OK;
}

/* A function of one plain figure, when the library has it. */
static bool get(struct nvml_gpu *gpu, int (*call)(void *device, unsigned *out), unsigned *out) {
    return call && !gpu->is_lost && nvml_is_good(gpu, call(gpu->device, out));
}

static bool get_long(struct nvml_gpu *gpu, int (*call)(void *device, unsigned long long *out),
                     unsigned long long *out) {
    return call && !gpu->is_lost && nvml_is_good(gpu, call(gpu->device, out));
}

static void get_count(struct nvml_gpu *gpu, int (*call)(void *device, unsigned *out), int64_t *to) {
    unsigned value;
    if (get(gpu, call, &value))
        *to = value;
}

static void get_watts(struct nvml_gpu *gpu, int (*call)(void *device, unsigned *milliwatts), double *to) {
    unsigned value;
    if (get(gpu, call, &value))
        *to = value / 1e3;
}

static void get_hz(struct nvml_gpu *gpu, int (*call)(void *device, unsigned which, unsigned *mhz), unsigned which,
                   double *to) {
    unsigned value;
    if (call && !gpu->is_lost && nvml_is_good(gpu, call(gpu->device, which, &value)))
        *to = value * 1e6;
}

static void set_memory(struct gpu *told, unsigned long long total, unsigned long long used) {
    if (total > INT64_MAX || used > total)
        return;
    told->memory_total_bytes = (int64_t)total;
    told->memory_used_bytes = (int64_t)used;
}

static void read_memory(const struct nvml_api *api, const char *root, struct nvml_gpu *gpu) {
    struct nvml_memory2 newer = {.version = NVML_MEMORY2_VERSION};
    struct nvml_memory older = {0};
    struct gpu *told = &gpu->told;
    if (api->memory2 && !gpu->is_lost && nvml_is_good(gpu, api->memory2(gpu->device, &newer))) {
        set_memory(told, newer.total, newer.used);
        return;
    }
    if (!api->memory || gpu->is_lost)
        return;
    int code = api->memory(gpu->device, &older);
    if (nvml_is_good(gpu, code)) {
        set_memory(told, older.total, older.used);
    } else if (code == NVML_NOT_SUPPORTED) { /* it has none of its own */
        struct status machine;
        status_init(&machine);
        memory_sample(root, &machine);
        told->memory_total_bytes = machine.memory_total_bytes;
        told->memory_used_bytes = machine.memory_used_bytes;
        told->memory_shared = true;
    }
}

static void read_temperature(const struct nvml_api *api, struct nvml_gpu *gpu) {
    enum { HOTTEST = 200 };
    struct nvml_temperature newer = {.version = NVML_TEMPERATURE_VERSION, .sensor = NVML_TEMPERATURE_OF_GPU};
    unsigned celsius;
    if (api->temperature && !gpu->is_lost && nvml_is_good(gpu, api->temperature(gpu->device, &newer)))
        celsius = (unsigned)newer.celsius;
    else if (!api->temperature_old || gpu->is_lost ||
             !nvml_is_good(gpu, api->temperature_old(gpu->device, NVML_TEMPERATURE_OF_GPU, &celsius)))
        return;
    if (celsius < HOTTEST)
        gpu->told.temperature_celsius = celsius;
}

/* The hardware's own slowdown is also set when heat or the brake is its reason. */
static void read_throttle(const struct nvml_api *api, struct nvml_gpu *gpu) {
    unsigned long long bits;
    if (!get_long(gpu, api->slow, &bits))
        return;
    const bool heat = bits & (NVML_SLOW_THERMAL_SOFTWARE | NVML_SLOW_THERMAL_HARDWARE),
               brake = bits & NVML_SLOW_POWER_BRAKE,
               hardware = bits & NVML_SLOW_HARDWARE && !(bits & NVML_SLOW_THERMAL_HARDWARE) && !brake;
    char *to = gpu->told.throttle;
    (void)snprintf(to, sizeof gpu->told.throttle, "%s%s%s%s", bits & NVML_SLOW_POWER_CAP ? " power" : "",
                   heat ? " thermal" : "", hardware ? " hardware" : "", brake ? " brake" : "");
    if (to[0] == ' ')
        memmove(to, to + 1, strlen(to));
}

static void read_nvlink(const struct nvml_api *api, struct nvml_gpu *gpu) {
    int64_t count = 0, active = 0;
    if (!api->nvlink)
        return;
    for (unsigned link = 0; link < NVML_LINKS_MAX && !gpu->is_lost; link++) {
        unsigned is_active = 0;
        if (!nvml_is_good(gpu, api->nvlink(gpu->device, link, &is_active)))
            continue;
        count++;
        active += is_active == 1;
    }
    if (count > 0) {
        gpu->told.nvlink_count = count;
        gpu->told.nvlink_active_count = active;
    }
}

static void read_ecc(const struct nvml_api *api, struct nvml_gpu *gpu, unsigned type, int64_t *to) {
    unsigned long long count;
    if (api->ecc && !gpu->is_lost && nvml_is_good(gpu, api->ecc(gpu->device, type, NVML_ECC_VOLATILE, &count)) &&
        count <= INT64_MAX)
        *to = (int64_t)count;
}

static void read_slow(const struct nvml_api *api, struct nvml_gpu *gpu) {
    struct gpu *told = &gpu->told;
    unsigned now, pending;
    get_watts(gpu, api->power_limit, &told->power_limit_watts);
    get_hz(gpu, api->clock_max, NVML_CLOCK_SM, &told->clock_max_hz);
    get_count(gpu, api->pcie_width_max, &told->pcie_width_max);
    get_count(gpu, api->pcie_generation_max, &told->pcie_generation_max);
    read_nvlink(api, gpu);
    read_ecc(api, gpu, NVML_ECC_CORRECTED, &told->ecc_corrected_count);
    read_ecc(api, gpu, NVML_ECC_UNCORRECTED, &told->ecc_uncorrected_count);
    told->partitioned =
        api->mig_mode && !gpu->is_lost && nvml_is_good(gpu, api->mig_mode(gpu->device, &now, &pending)) && now == 1;
}

void nvml_read_gpu(const struct nvml_api *api, const char *root, struct nvml_gpu *gpu, bool slowly) {
    enum { PERCENT = 100, FAN_MOST = 200 };
    struct nvml_utilization use;
    struct gpu *told = &gpu->told;
    unsigned percent;
    unsigned long long millijoules;
    if (slowly)
        read_slow(api, gpu);
    if (api->utilization && !gpu->is_lost && nvml_is_good(gpu, api->utilization(gpu->device, &use)) &&
        use.gpu <= PERCENT)
        told->used_share = use.gpu / (double)PERCENT;
    read_memory(api, root, gpu);
    read_temperature(api, gpu);
    if (get(gpu, api->fan, &percent) && percent <= FAN_MOST)
        told->fan_share = percent / (double)PERCENT;
    get_watts(gpu, api->power, &told->power_watts);
    get_hz(gpu, api->clock, NVML_CLOCK_SM, &told->clock_hz);
    get_hz(gpu, api->clock, NVML_CLOCK_MEMORY, &told->memory_clock_hz);
    read_throttle(api, gpu);
    get_count(gpu, api->pcie_width, &told->pcie_width);
    get_count(gpu, api->pcie_generation, &told->pcie_generation);
    if (get_long(gpu, api->energy, &millijoules))
        told->energy_joules = (int64_t)(millijoules / 1000);
}
