/* The figures of AMD's and Intel's GPUs, from the kernel's files. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_drm.h"
#include "sallyport/base/str.h"

/* The generation by the speed of a lane: "16.0 GT/s PCIe". */
static int64_t read_generation(const struct drm *drm, const struct drm_gpu *gpu, const char *leaf) {
    static const char *const speeds[] = {"2.5 ", "5.0 ", "8.0 ", "16.0 ", "32.0 ", "64.0 "};
    char text[32];
    if (kernel_text(text, sizeof text, drm->root, "/sys/class/drm/%s/device/%s", gpu->card, leaf) != 0)
        return STATUS_UNKNOWN;
    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
        if (str_starts(text, speeds[i]))
            return (int64_t)i + 1;
    }
    return STATUS_UNKNOWN;
}

/* "1: 1200Mhz *": the clock with the star, and the highest. */
static void read_clocks(const struct drm *drm, const struct drm_gpu *gpu, const char *leaf, double *now, double *most) {
    char text[1024];
    char *rest = NULL;
    if (kernel_text(text, sizeof text, drm->root, "/sys/class/drm/%s/device/%s", gpu->card, leaf) != 0)
        return;
    for (const char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        unsigned level, mhz;
        const char *at = line;
        if (!drm_take(&at, 10, &level) || *at++ != ':' || !drm_take(&at, 10, &mhz))
            continue;
        if (strchr(line, '*'))
            *now = mhz * 1e6;
        if (most && !(*most >= mhz * 1e6))
            *most = mhz * 1e6;
    }
}

static double scaled(int64_t value, double unit) {
    return value >= 0 ? (double)value / unit : (double)NAN;
}

static void read_link(const struct drm *drm, const struct drm_gpu *gpu, struct gpu *told) {
    if (gpu->is_integrated)
        return;
    told->pcie_width = drm_integer(drm, gpu, "current_link_width");
    told->pcie_width_max = drm_integer(drm, gpu, "max_link_width");
    told->pcie_generation = read_generation(drm, gpu, "current_link_speed");
    told->pcie_generation_max = read_generation(drm, gpu, "max_link_speed");
}

/* "ue: 0\nce: 3": errors that could not, and could be corrected. */
static void read_ras(const struct drm *drm, const struct drm_gpu *gpu, struct gpu *told) {
    char text[64];
    unsigned uncorrected, corrected;
    const char *at = text + strlen("ue:");
    if (kernel_text(text, sizeof text, drm->root, "/sys/class/drm/%s/device/ras/umc_err_count", gpu->card) != 0 ||
        !str_starts(text, "ue:") || !drm_take(&at, 10, &uncorrected) || !str_starts(at, "\nce:"))
        return;
    at += strlen("\nce:");
    if (drm_take(&at, 10, &corrected)) {
        told->ecc_uncorrected_count = uncorrected;
        told->ecc_corrected_count = corrected;
    }
}

static void read_amd_memory(const struct drm *drm, const struct drm_gpu *gpu, struct gpu *told) {
    int64_t total = drm_integer(drm, gpu, "mem_info_vram_total"), used = drm_integer(drm, gpu, "mem_info_vram_used");
    told->memory_shared = gpu->is_integrated;
    if (gpu->is_integrated && total >= 0 && used >= 0) {
        int64_t more = drm_integer(drm, gpu, "mem_info_gtt_total"),
                more_used = drm_integer(drm, gpu, "mem_info_gtt_used");
        if (more >= 0 && more_used >= 0) {
            total += more;
            used += more_used;
        }
    }
    told->memory_total_bytes = total;
    told->memory_used_bytes = used <= total ? used : STATUS_UNKNOWN;
}

void drm_read_amd(const struct drm *drm, const struct drm_gpu *gpu, struct gpu *told) {
    enum { PERCENT = 100 };
    int64_t busy = drm_integer(drm, gpu, "gpu_busy_percent");
    if (busy >= 0 && busy <= PERCENT)
        told->used_share = (double)busy / PERCENT;
    read_amd_memory(drm, gpu, told);
    told->temperature_celsius = scaled(drm_hwmon(drm, gpu, "temp1_input"), 1e3);
    int64_t power_uw = drm_hwmon(drm, gpu, "power1_average");
    told->power_watts = scaled(power_uw >= 0 ? power_uw : drm_hwmon(drm, gpu, "power1_input"), 1e6);
    told->power_limit_watts = scaled(drm_hwmon(drm, gpu, "power1_cap"), 1e6);
    int64_t fan = drm_hwmon(drm, gpu, "pwm1"), fan_most = drm_hwmon(drm, gpu, "pwm1_max");
    if (fan >= 0 && fan_most > 0 && fan <= fan_most)
        told->fan_share = (double)fan / (double)fan_most;
    read_clocks(drm, gpu, "pp_dpm_sclk", &told->clock_hz, &told->clock_max_hz);
    read_clocks(drm, gpu, "pp_dpm_mclk", &told->memory_clock_hz, NULL);
    int64_t clock = drm_hwmon(drm, gpu, "freq1_input");
    if (clock >= 0)
        told->clock_hz = (double)clock;
    read_link(drm, gpu, told);
    read_ras(drm, gpu, told);
}

/* The older driver has its clocks beside the card, the newer one by tile. */
static double read_intel_clock(const struct drm *drm, const struct drm_gpu *gpu, const char *older, const char *newer) {
    int64_t mhz;
    if (kernel_integer(&mhz, drm->root, "/sys/class/drm/%s/%s", gpu->card, older) ||
        kernel_integer(&mhz, drm->root, "/sys/class/drm/%s/device/tile0/gt0/freq0/%s", gpu->card, newer))
        return scaled(mhz, 1e-6);
    return (double)NAN;
}

void drm_read_intel(const struct drm *drm, const struct drm_gpu *gpu, struct gpu *told) {
    int64_t used = 0;
    bool any = false;
    told->clock_hz = read_intel_clock(drm, gpu, "gt_act_freq_mhz", "act_freq");
    told->clock_max_hz = read_intel_clock(drm, gpu, "gt_max_freq_mhz", "max_freq");
    told->temperature_celsius = scaled(drm_hwmon(drm, gpu, "temp1_input"), 1e3);
    told->power_limit_watts = scaled(drm_hwmon(drm, gpu, "power1_max"), 1e6);
    read_link(drm, gpu, told);
    for (size_t i = 0; i < drm->client_count; i++) {
        const struct drm_client *client = &drm->clients[i];
        if (&drm->gpus[client->gpu] == gpu && client->memory_bytes >= 0) {
            used += client->memory_bytes;
            any = true;
        }
    }
    told->memory_shared = gpu->is_integrated;
    if (any)
        told->memory_used_bytes = used;
}

void drm_read_kfd(const struct drm *drm, const struct drm_gpu *gpu, struct gpu_users *users) {
    struct kernel_names pids;
    if (kernel_list(&pids, drm->root, "/sys/class/kfd/kfd/proc") != 0)
        return;
    for (size_t i = 0; i < pids.count; i++) {
        int64_t bytes;
        uint64_t pid;
        if (str_u64(pids.items[i], 1, INT32_MAX, &pid) == 0 &&
            kernel_integer(&bytes, drm->root, "/sys/class/kfd/kfd/proc/%s/vram_%llu", pids.items[i],
                           (unsigned long long)gpu->kfd_id) &&
            bytes > 0)
            gpu_users_add(users, (int64_t)pid, gpu->index, bytes, (double)NAN);
    }
    kernel_names_fini(&pids);
}
