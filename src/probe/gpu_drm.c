/* AMD's and Intel's GPUs: which there are. */
#include "gpu_drm.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

enum { FIND_MS = 60000, VENDOR_AMD = 0x1002, VENDOR_INTEL = 0x8086 };

int drm_new(const char *root, struct drm **out) {
    struct drm *drm = calloc(1, sizeof *drm);
    if (!drm)
        return SP_ENOMEM;
    drm->root = root;
    *out = drm;
    return 0;
}

void drm_free(struct drm *drm) {
    free(drm);
}

int64_t drm_integer(const struct drm *drm, const struct drm_gpu *gpu, const char *leaf) {
    int64_t value;
    bool found = kernel_integer(&value, drm->root, "/sys/class/drm/%s/device/%s", gpu->card, leaf);
    return found && value >= 0 ? value : STATUS_UNKNOWN;
}

int64_t drm_hwmon(const struct drm *drm, const struct drm_gpu *gpu, const char *leaf) {
    int64_t value;
    bool found = gpu->hwmon[0] != '\0' &&
                 kernel_integer(&value, drm->root, "/sys/class/drm/%s/device/hwmon/%s/%s", gpu->card, gpu->hwmon, leaf);
    return found && value >= 0 ? value : STATUS_UNKNOWN;
}

bool drm_take(const char **at, int base, unsigned *out) {
    char *end;
    const char *from = *at + strspn(*at, " \t");
    unsigned long number = isxdigit((unsigned char)*from) ? strtoul(from, &end, base) : ULONG_MAX;
    if (number > UINT_MAX || end == from)
        return false;
    *out = (unsigned)number;
    *at = end;
    return true;
}

/* Moves on behind that sign, when it is there. */
static bool take_sign(const char **at, char sign) {
    if (**at != sign)
        return false;
    ++*at;
    return true;
}

/* "0x1002" -> 4098; 0: none. */
static unsigned read_hex(const struct drm *drm, const char *card, const char *leaf) {
    char text[16];
    if (kernel_text(text, sizeof text, drm->root, "/sys/class/drm/%s/device/%s", card, leaf) != 0 ||
        !str_starts(text, "0x") || text[2 + strspn(text + 2, "0123456789abcdef")] != '\0')
        return 0;
    return (unsigned)strtoul(text + 2, NULL, 16);
}

/* The last part of where a link leads. */
static bool link_end(const struct drm *drm, const char *card, const char *leaf, char *to, size_t size) {
    char path[KERNEL_PATH_SIZE], target[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/sys/class/drm/%s/%s", drm->root, card, leaf);
    if (length < 0 || (size_t)length >= sizeof path)
        return false;
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    const char *slash = strrchr(target, '/');
    const char *end = slash ? slash + 1 : target;
    return str_is_clean(end, strlen(end)) && str_copy(to, size, end) == 0;
}

/* What libdrm's list calls it: "744C,\tC8,\tAMD Radeon RX 7900 XTX". */
static void name_amd(const struct drm *drm, struct drm_gpu *gpu, unsigned device) {
    char line[256], path[KERNEL_PATH_SIZE];
    unsigned revision = read_hex(drm, gpu->card, "revision"), listed_device, listed_revision;
    (void)snprintf(path, sizeof path, "%s/usr/share/libdrm/amdgpu.ids", drm->root);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        const char *at = line;
        line[strcspn(line, "\r\n")] = '\0';
        if (!drm_take(&at, 16, &listed_device) || !take_sign(&at, ',') || !drm_take(&at, 16, &listed_revision) ||
            !take_sign(&at, ',') || listed_device != device || listed_revision != revision)
            continue;
        at += strspn(at, " \t");
        if (str_is_clean(at, strlen(at)) && str_copy(gpu->name, sizeof gpu->name, at) == 0)
            break;
    }
    if (file)
        (void)fclose(file);
}

/* AMD's compute driver counts GPUs by itself; it knows where they are, too. */
static void find_kfd(const struct drm *drm, struct drm_gpu *gpu) {
    struct kernel_names nodes;
    unsigned domain, bus, device;
    const char *at = gpu->address;
    if (!drm_take(&at, 16, &domain) || !take_sign(&at, ':') || !drm_take(&at, 16, &bus) || !take_sign(&at, ':') ||
        !drm_take(&at, 16, &device) || kernel_list(&nodes, drm->root, "/sys/class/kfd/kfd/topology/nodes") != 0)
        return;
    for (size_t i = 0; i < nodes.count; i++) {
        char text[KERNEL_TEXT_SIZE];
        int64_t id;
        uint64_t place = 0, segment = 0;
        const char *line;
        if (!kernel_integer(&id, drm->root, "/sys/class/kfd/kfd/topology/nodes/%s/gpu_id", nodes.items[i]) || id <= 0 ||
            kernel_text(text, sizeof text, drm->root, "/sys/class/kfd/kfd/topology/nodes/%s/properties",
                        nodes.items[i]) != 0)
            continue;
        if ((line = strstr(text, "location_id ")))
            place = strtoull(line + strlen("location_id "), NULL, 10);
        if ((line = strstr(text, "domain ")))
            segment = strtoull(line + strlen("domain "), NULL, 10);
        if (segment == domain && place >> 8 == bus && (place >> 3 & 0x1f) == device)
            gpu->kfd_id = (uint64_t)id;
    }
    kernel_names_fini(&nodes);
}

static bool find_gpu(const struct drm *drm, const char *card, struct drm_gpu *gpu) {
    struct kernel_names names;
    unsigned vendor = read_hex(drm, card, "vendor"), device = read_hex(drm, card, "device");
    memset(gpu, 0, sizeof *gpu);
    if ((vendor != VENDOR_AMD && vendor != VENDOR_INTEL) || str_copy(gpu->card, sizeof gpu->card, card) != 0 ||
        !link_end(drm, card, "device", gpu->address, sizeof gpu->address) ||
        !link_end(drm, card, "device/driver", gpu->driver, sizeof gpu->driver))
        return false;
    gpu->maker = vendor == VENDOR_AMD ? DRM_AMD : DRM_INTEL;
    if (kernel_list(&names, drm->root, "/sys/class/drm/%s/device/hwmon", card) == 0) {
        if (names.count > 0)
            (void)str_copy(gpu->hwmon, sizeof gpu->hwmon, names.items[0]);
        kernel_names_fini(&names);
    }
    (void)snprintf(gpu->name, sizeof gpu->name, "%s GPU %04x", vendor == VENDOR_AMD ? "AMD" : "Intel", device);
    if (gpu->maker == DRM_AMD) {
        name_amd(drm, gpu, device);
        find_kfd(drm, gpu);
        /* The driver hides these from GPUs that share the processor's memory. */
        gpu->is_integrated = !kernel_has(drm->root, "/sys/class/drm/%s/device/mem_busy_percent", card) &&
                             !kernel_has(drm->root, "/sys/class/drm/%s/device/pcie_bw", card);
    } else {
        gpu->is_integrated = strcmp(gpu->address, "0000:00:02.0") == 0;
    }
    return true;
}

/* "card0", not "card0-DP-1". */
static bool is_card(const char *name) {
    return str_starts(name, "card") && name[4] != '\0' && name[4 + strspn(name + 4, "0123456789")] == '\0';
}

static void find_gpus(struct drm *drm) {
    struct kernel_names cards;
    struct drm_gpu found;
    size_t count = 0;
    if (kernel_list(&cards, drm->root, "/sys/class/drm") != 0)
        return;
    for (size_t i = 0; i < cards.count && count < DRM_GPUS_MAX; i++) {
        if (!is_card(cards.items[i]) || !find_gpu(drm, cards.items[i], &found))
            continue;
        /* What was measured before stays with a GPU that is where it was. */
        if (count >= drm->gpu_count || strcmp(drm->gpus[count].address, found.address) != 0) {
            drm->gpus[count] = found;
            drm->client_count = 0;
            drm->scanned_at_ms = 0;
        }
        count++;
    }
    drm->gpu_count = count;
    kernel_names_fini(&cards);
}

/* The others are the ones that people mean. */
static bool is_left_out(const struct drm *drm, const struct drm_gpu *gpu, const struct status *out) {
    bool others = out->gpu_count > 0;
    for (size_t i = 0; i < drm->gpu_count && !others; i++)
        others = !drm->gpus[i].is_integrated;
    return gpu->is_integrated && others;
}

static void tell_gpu(struct drm *drm, struct drm_gpu *gpu, uint64_t now_ms, struct gpu *told) {
    double used = 0;
    (void)str_copy(told->name, sizeof told->name, gpu->name);
    (void)str_copy(told->driver, sizeof told->driver, gpu->driver);
    gpu_set_pci_id(told, gpu->address);
    bool asleep = gpu_is_asleep(drm->root, gpu->address);
    (void)str_copy(told->state, sizeof told->state, asleep ? "asleep" : "ok");
    if (asleep) {
        gpu->energy_at_ms = 0;
        return;
    }
    for (size_t i = 0; i < gpu->engine_count; i++)
        used = gpu->engines_used[i] > used ? gpu->engines_used[i] : used;
    /* That there is no client is known only to who may look at all processes. */
    if (drm->sampled_at_ms != 0 && (gpu->engine_count > 0 || geteuid() == 0))
        told->used_share = used < 1 ? used : 1;
    if (gpu->maker == DRM_AMD)
        drm_read_amd(drm, gpu, told);
    else
        drm_read_intel(drm, gpu, told);
    /* Where there is no power, there may be the energy so far. */
    int64_t energy_uj = drm_hwmon(drm, gpu, "energy1_input");
    if (energy_uj >= 0 && gpu->energy_at_ms != 0 && now_ms > gpu->energy_at_ms && energy_uj >= gpu->energy_uj &&
        !(told->power_watts >= 0))
        told->power_watts = (double)(energy_uj - gpu->energy_uj) / 1e3 / (double)(now_ms - gpu->energy_at_ms);
    gpu->energy_uj = energy_uj;
    gpu->energy_at_ms = energy_uj >= 0 ? now_ms : 0;
}

static void tell_clients(const struct drm *drm, struct gpu_users *users) {
    for (size_t i = 0; i < drm->client_count; i++) {
        const struct drm_client *client = &drm->clients[i];
        const struct drm_gpu *gpu = &drm->gpus[client->gpu];
        /* A desktop opens the GPU in every window; only who does something there counts. */
        if (gpu->index >= 0 && (client->memory_bytes > 0 || client->used_share > 0))
            gpu_users_add(users, client->pid, gpu->index, client->memory_bytes, client->used_share);
    }
}

void drm_sample(struct drm *drm, uint64_t now_ms, struct status *out, struct gpu_users *users) {
    int64_t index = 0;
    bool any = false;
    if (drm->found_at_ms == 0 || now_ms - drm->found_at_ms >= FIND_MS) {
        find_gpus(drm);
        drm->found_at_ms = now_ms;
    }
    for (size_t i = 0; i < out->gpu_count; i++)
        index = out->gpus[i].index >= index ? out->gpus[i].index + 1 : index;
    for (size_t i = 0; i < drm->gpu_count; i++) {
        drm->gpus[i].index = is_left_out(drm, &drm->gpus[i], out) ? -1 : index++;
        any = any || drm->gpus[i].index >= 0;
    }
    if (!any)
        return;
    drm_clients_sample(drm, now_ms);
    for (size_t i = 0; i < drm->gpu_count; i++) {
        struct gpu *told = drm->gpus[i].index >= 0 ? status_add(out, "gpus") : NULL;
        if (!told)
            continue;
        told->index = drm->gpus[i].index;
        tell_gpu(drm, &drm->gpus[i], now_ms, told);
        if (drm->gpus[i].kfd_id != 0)
            drm_read_kfd(drm, &drm->gpus[i], users);
    }
    tell_clients(drm, users);
    drm->sampled_at_ms = now_ms;
}
