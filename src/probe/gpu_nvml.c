/* NVIDIA's GPUs: which there are, which of them sleep or are lost, and when to let go of them so that they can sleep. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_nvml_local.h"
#include "kernel_file.h"
#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

enum {
    SLOW_MS = 10000,  /* between readings of what changes rarely */
    IDLE_SAMPLES = 3, /* after so many, a GPU that may sleep is let go ... */
    REST_MS = 30000,  /* ... and has so long to fall asleep */
    EVENTS_MAX = 64,  /* in one sample */
};

struct nvml {
    const char *root;
    char driver[48];
    struct nvml_api api; /* library NULL: not loaded, or let go */
    bool by_place;       /* some slept at the beginning */
    bool is_attached;    /* `gpus` are all that there are */
    bool never_sleeps;   /* they had their chance */
    unsigned idle;       /* samples in a row */
    uint64_t rest_since_ms;
    void *events;
    struct nvml_gpu gpus[STATUS_GPUS_MAX];
    size_t count;
};

/* "0000:01:00.0" of the driver's GPUs, in the order in which the library counts them. */
static void list_places(struct nvml *nvml) {
    struct kernel_names names;
    char class[16];
    if (kernel_list(&names, nvml->root, "/sys/bus/pci/drivers/nvidia") != 0)
        return;
    for (size_t i = 0; i < names.count && nvml->count < STATUS_GPUS_MAX; i++) {
        struct nvml_gpu *gpu = &nvml->gpus[nvml->count];
        if (kernel_text(class, sizeof class, nvml->root, "/sys/bus/pci/devices/%s/class", names.items[i]) != 0 ||
            !str_starts(class, "0x03") || str_copy(gpu->address, sizeof gpu->address, names.items[i]) != 0)
            continue;
        gpu->told.index = (int64_t)nvml->count++;
    }
    kernel_names_fini(&names);
}

static void gpu_blank(struct gpu *gpu) {
    struct status one;
    status_init(&one);
    const struct gpu *blank = status_add(&one, "gpus");
    if (blank)
        *gpu = *blank;
    status_fini(&one);
}

/* What the driver's own file says of a GPU without waking it: "Model: \t\t NVIDIA GeForce RTX 3050". */
static bool told_line(const char *text, const char *key, char *to, size_t size) {
    const char *line = strstr(text, key);
    if (!line)
        return false;
    line += strlen(key);
    line += strspn(line, ": \t");
    size_t len = strcspn(line, "\n");
    if (len == 0 || len >= size || !str_is_clean(line, len) || memchr(line, '?', len))
        return false;
    memcpy(to, line, len);
    to[len] = '\0';
    return true;
}

/* One that was lost before we came is told only when its lasting name is known. */
static void name_silent(struct nvml *nvml, struct nvml_gpu *gpu) {
    char text[1024];
    if (gpu->told.id[0] != '\0')
        return;
    if (gpu_is_asleep(nvml->root, gpu->address))
        gpu_set_pci_id(&gpu->told, gpu->address);
    if (kernel_text(text, sizeof text, nvml->root, "/proc/driver/nvidia/gpus/%s/information", gpu->address) != 0)
        return;
    (void)told_line(text, "Model", gpu->told.name, sizeof gpu->told.name);
    (void)told_line(text, "GPU UUID", gpu->told.id, sizeof gpu->told.id);
}

/* Texts from the library, which may forget their end. */
static void read_text(const struct nvml_gpu *gpu, int (*call)(void *device, char *to, unsigned size), char *to,
                      size_t size) {
    char text[96] = "";
    if (!call || call(gpu->device, text, sizeof text) != NVML_OK)
        return;
    text[sizeof text - 1] = '\0';
    if (str_is_clean(text, strlen(text)))
        (void)str_copy(to, size, text);
}

/* The GPU's names, its place, and its errors from now on. */
static void attach(struct nvml *nvml, struct nvml_gpu *gpu) {
    const struct nvml_api *api = &nvml->api;
    struct nvml_pci pci = {.domain = 0};
    if (api->pci && api->pci(gpu->device, &pci) == NVML_OK)
        (void)snprintf(gpu->address, sizeof gpu->address, "%04x:%02x:%02x.0", pci.domain & 0xffffff, pci.bus & 0xff,
                       pci.device & 0x1f);
    read_text(gpu, api->name, gpu->told.name, sizeof gpu->told.name);
    char id[sizeof gpu->told.id] = "";
    read_text(gpu, api->uuid, id, sizeof id);
    if (id[0] != '\0')
        memcpy(gpu->told.id, id, sizeof id);
    else if (gpu->told.id[0] == '\0' && gpu->address[0] != '\0')
        gpu_set_pci_id(&gpu->told, gpu->address);
    else if (gpu->told.id[0] == '\0')
        (void)snprintf(gpu->told.id, sizeof gpu->told.id, "nvidia-%d", (int)gpu->told.index);
    gpu->has_events = nvml->events && api->events_register &&
                      api->events_register(gpu->device, NVML_EVENT_XID, nvml->events) == NVML_OK;
    if (gpu->has_events && gpu->told.xid_count < 0)
        gpu->told.xid_count = 0;
    gpu->slow_at_ms = 0;
}

static bool any_sleeps(const struct nvml *nvml) {
    for (size_t i = 0; i < nvml->count; i++) {
        if (gpu_is_asleep(nvml->root, nvml->gpus[i].address))
            return true;
    }
    return false;
}

/* By place where one of several sleeps: to ask for it by its number would wake it. */
static void attach_by_place(struct nvml *nvml) {
    for (size_t i = 0; i < nvml->count; i++) {
        struct nvml_gpu *gpu = &nvml->gpus[i];
        if (gpu->device || gpu->is_lost || gpu_is_asleep(nvml->root, gpu->address))
            continue;
        if (nvml->api.by_address && nvml_is_good(gpu, nvml->api.by_address(gpu->address, &gpu->device)))
            attach(nvml, gpu);
        else
            gpu->device = NULL;
    }
}

static void attach_by_number(struct nvml *nvml) {
    unsigned count = 0;
    if (nvml->api.count(&count) != NVML_OK)
        return;
    for (unsigned i = 0; i < count && i < STATUS_GPUS_MAX; i++) {
        struct nvml_gpu *gpu = &nvml->gpus[i];
        if (count != nvml->count)
            gpu->address[0] = '\0'; /* not all that the kernel lists are shown to us */
        gpu->told.index = i;
        if (nvml_is_good(gpu, nvml->api.by_index(i, &gpu->device)))
            attach(nvml, gpu);
        else
            gpu->device = NULL;
    }
    nvml->count = count < STATUS_GPUS_MAX ? count : STATUS_GPUS_MAX;
    nvml->is_attached = true;
}

static int nvml_open(struct nvml *nvml) {
    int rc = nvml_api_open(&nvml->api, nvml->driver, sizeof nvml->driver);
    if (rc == 0 && (!nvml->api.events_new || !nvml->api.events_wait || nvml->api.events_new(&nvml->events) != NVML_OK))
        nvml->events = NULL;
    return rc;
}

/* Lets the GPUs go. The library's own things end with it. */
static void nvml_let_go(struct nvml *nvml, uint64_t now_ms) {
    for (size_t i = 0; i < nvml->count; i++)
        nvml->gpus[i].device = NULL;
    nvml->events = NULL;
    nvml->is_attached = nvml->by_place = false;
    nvml->idle = 0;
    nvml->rest_since_ms = now_ms;
    nvml_api_close(&nvml->api);
}

int nvml_new(const char *root, struct nvml **out) {
    struct nvml *nvml = calloc(1, sizeof *nvml);
    if (!nvml)
        return SP_ENOMEM;
    nvml->root = root;
    for (size_t i = 0; i < STATUS_GPUS_MAX; i++)
        gpu_blank(&nvml->gpus[i].told);
    list_places(nvml);
    if (!any_sleeps(nvml)) {
        int rc = nvml_open(nvml);
        if (rc != 0) {
            free(nvml);
            return SP_ENOENT;
        }
    }
    *out = nvml;
    return 0;
}

void nvml_free(struct nvml *nvml) {
    if (!nvml)
        return;
    nvml_api_close(&nvml->api);
    free(nvml);
}

/* Errors that the driver has reported since the last sample. */
static void read_events(struct nvml *nvml) {
    struct nvml_event event;
    for (int i = 0; i < EVENTS_MAX && nvml->events; i++) {
        memset(&event, 0, sizeof event);
        if (nvml->api.events_wait(nvml->events, &event, 0) != NVML_OK)
            return;
        for (size_t j = 0; j < nvml->count; j++) {
            struct nvml_gpu *gpu = &nvml->gpus[j];
            if (!gpu->device || gpu->device != event.device || event.type != NVML_EVENT_XID || event.data > INT32_MAX)
                continue;
            gpu->told.xid_count++;
            gpu->told.xid_last = (int64_t)event.data;
        }
    }
}

/* Blank again, but for what lasts and what is read rarely. */
static void gpu_renew(struct nvml_gpu *gpu) {
    const struct gpu old = gpu->told;
    struct gpu *told = &gpu->told;
    gpu_blank(told);
    told->index = old.index;
    memcpy(told->id, old.id, sizeof told->id);
    memcpy(told->name, old.name, sizeof told->name);
    told->xid_count = old.xid_count;
    told->xid_last = old.xid_last;
    if (gpu->is_lost || !gpu->device)
        return;
    told->power_limit_watts = old.power_limit_watts;
    told->clock_max_hz = old.clock_max_hz;
    told->pcie_width_max = old.pcie_width_max;
    told->pcie_generation_max = old.pcie_generation_max;
    told->nvlink_count = old.nvlink_count;
    told->nvlink_active_count = old.nvlink_active_count;
    told->ecc_corrected_count = old.ecc_corrected_count;
    told->ecc_uncorrected_count = old.ecc_uncorrected_count;
    told->partitioned = old.partitioned;
}

static void sample_gpu(struct nvml *nvml, struct nvml_gpu *gpu, uint64_t now_ms, struct gpu_users *users) {
    bool asleep = gpu_is_asleep(nvml->root, gpu->address);
    const char *state = asleep ? "asleep" : gpu->is_lost ? "lost" : "ok";
    gpu_renew(gpu);
    if (asleep || gpu->is_lost) {
        name_silent(nvml, gpu);
    } else if (gpu->device) {
        bool slowly = gpu->slow_at_ms == 0 || now_ms - gpu->slow_at_ms >= SLOW_MS;
        if (slowly)
            gpu->slow_at_ms = now_ms;
        nvml_read_gpu(&nvml->api, nvml->root, gpu, slowly);
        if (!gpu->is_lost)
            nvml_read_processes(&nvml->api, gpu, users);
        if (gpu->is_lost) {
            gpu_renew(gpu);
            state = "lost";
        }
    }
    (void)str_copy(gpu->told.state, sizeof gpu->told.state, state);
    (void)str_copy(gpu->told.driver, sizeof gpu->told.driver, nvml->driver);
}

/* All of them may sleep (the power management of laptops), and nobody uses one. */
static bool may_let_go(const struct nvml *nvml, const struct gpu_users *users) {
    char text[16];
    if (users->count > 0 || nvml->never_sleeps || nvml->count == 0)
        return false;
    for (size_t i = 0; i < nvml->count; i++) {
        const struct nvml_gpu *gpu = &nvml->gpus[i];
        if (gpu->told.used_share > 0 || gpu->address[0] == '\0' ||
            kernel_text(text, sizeof text, nvml->root, "/sys/bus/pci/devices/%s/power/control", gpu->address) != 0 ||
            strcmp(text, "auto") != 0)
            return false;
    }
    return true;
}

/* While it is let go: true when the time has come to ask again. */
static bool rest_is_over(struct nvml *nvml, uint64_t now_ms) {
    size_t asleep = 0;
    for (size_t i = 0; i < nvml->count; i++)
        asleep += gpu_is_asleep(nvml->root, nvml->gpus[i].address);
    if (asleep == nvml->count) {
        nvml->rest_since_ms = 0; /* whoever wakes now is in use */
        return false;
    }
    if (nvml->rest_since_ms != 0 && now_ms - nvml->rest_since_ms < REST_MS)
        return false;
    nvml->never_sleeps = nvml->rest_since_ms != 0;
    return true;
}

static void tell_gpus(const struct nvml *nvml, struct status *out) {
    for (size_t i = 0; i < nvml->count; i++) {
        struct gpu *gpu = nvml->gpus[i].told.id[0] != '\0' ? status_add(out, "gpus") : NULL;
        if (gpu)
            *gpu = nvml->gpus[i].told;
    }
}

void nvml_sample(struct nvml *nvml, uint64_t now_ms, struct status *out, struct gpu_users *users) {
    bool resting = !nvml->api.library && !rest_is_over(nvml, now_ms);
    if (!resting && !nvml->api.library && nvml_open(nvml) != 0)
        resting = true;
    if (!resting && !nvml->is_attached) {
        nvml->by_place = nvml->by_place || any_sleeps(nvml);
        if (nvml->by_place)
            attach_by_place(nvml);
        else
            attach_by_number(nvml);
    }
    if (!resting)
        read_events(nvml);
    for (size_t i = 0; i < nvml->count; i++) {
        if (!resting || gpu_is_asleep(nvml->root, nvml->gpus[i].address))
            sample_gpu(nvml, &nvml->gpus[i], now_ms, users);
    }
    tell_gpus(nvml, out);
    nvml->idle = !resting && may_let_go(nvml, users) ? nvml->idle + 1 : 0;
    if (nvml->idle >= IDLE_SAMPLES)
        nvml_let_go(nvml, now_ms);
}
