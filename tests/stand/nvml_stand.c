/* Stands in for libnvidia-ml.so.1: GPUs that a script makes up (nvml_script.h). With STAND_OLD it has only what a library
 * of 2016 had. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gpu_nvml.h"
#include "nvml_script.h"

/* A library has no other place for what it knows. */
static struct {
    struct stand_script script;
    unsigned xid_told[STAND_GPUS];
    unsigned watched; /* bit i: GPU i's errors are told */
    char set;         /* its address stands for the set of events */
    char parts[STAND_GPUS][STAND_PARTS];
} stand;

static struct stand_script *refreshed(void) {
    stand_script_refresh(&stand.script);
    return &stand.script;
}

/* Which GPU a handle stands for. A part of one has no figures here but its processes. */
static struct stand_gpu *gpu_of(void *device) {
    const char *part = device;
    if (part >= &stand.parts[0][0] && part <= &stand.parts[STAND_GPUS - 1][STAND_PARTS - 1])
        return &stand.script.gpus[(part - &stand.parts[0][0]) / STAND_PARTS];
    return device;
}

/* What every function does first. */
static int enter(const char *function, void *device) {
    const struct stand_script *script = &stand.script;
    char word[STAND_WORD + 2];
    const time_t whole = (time_t)script->hang_s;
    const struct timespec time = {.tv_sec = whole, .tv_nsec = (long)((script->hang_s - (double)whole) * 1e9)};
    if (strcmp(script->hang, function) == 0)
        (void)nanosleep(&time, NULL);
    if (strcmp(script->crash, function) == 0)
        (void)raise(SIGKILL); /* no report of a sanitizer, unlike SIGSEGV */
    if (!device)
        return NVML_OK;
    const struct stand_gpu *gpu = gpu_of(device);
    (void)snprintf(word, sizeof word, " %s ", function);
    if (gpu->lost)
        return NVML_LOST;
    return strstr(gpu->unsupported, word) ? NVML_NOT_SUPPORTED : NVML_OK;
}

#define EXPORT __attribute__((visibility("default")))
/* A function of one figure. */
#define GET(function, value) \
    EXPORT int function(void *device, unsigned *out); \
    int function(void *device, unsigned *out) { \
        const struct stand_gpu *gpu = gpu_of(device); \
        int code = enter(#function, device); \
        if (code == NVML_OK) \
            *out = (value); \
        return code; \
    }
/* A function of one figure, with a choice before it. */
#define CHOOSE(function, value) \
    EXPORT int function(void *device, unsigned choice, unsigned *out); \
    int function(void *device, unsigned choice, unsigned *out) { \
        const struct stand_gpu *gpu = gpu_of(device); \
        int code = enter(#function, device); \
        if (code == NVML_OK) \
            *out = (value); \
        return code; \
    }

EXPORT int nvmlInit_v2(void);
int nvmlInit_v2(void) {
    const struct stand_script *script = refreshed();
    (void)enter("nvmlInit_v2", NULL);
    return script->init_code;
}
EXPORT int nvmlShutdown(void);
int nvmlShutdown(void) {
    return enter("nvmlShutdown", NULL);
}

static int copy_text(const char *from, char *to, unsigned size) {
    return snprintf(to, size, "%s", from) < (int)size ? NVML_OK : NVML_TOO_SMALL;
}

EXPORT int nvmlSystemGetDriverVersion(char *to, unsigned size);
int nvmlSystemGetDriverVersion(char *to, unsigned size) {
    return copy_text(stand.script.driver, to, size);
}

EXPORT int nvmlDeviceGetCount_v2(unsigned *out);
int nvmlDeviceGetCount_v2(unsigned *out) {
    *out = refreshed()->gpu_count;
    return enter("nvmlDeviceGetCount_v2", NULL);
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out) {
    if (index >= stand.script.gpu_count)
        return NVML_INVALID;
    *out = &stand.script.gpus[index];
    return enter("nvmlDeviceGetHandleByIndex_v2", *out);
}

EXPORT int nvmlDeviceGetHandleByPciBusId_v2(const char *address, void **out);
int nvmlDeviceGetHandleByPciBusId_v2(const char *address, void **out) {
    unsigned long bus = strncmp(address, "5a11:", 5) == 0 ? strtoul(address + 5, NULL, 16) : 0;
    return bus == 0 ? NVML_NOT_FOUND : nvmlDeviceGetHandleByIndex_v2((unsigned)bus - 1, out);
}

EXPORT int nvmlDeviceGetName(void *device, char *to, unsigned size);
int nvmlDeviceGetName(void *device, char *to, unsigned size) {
    int code = enter("nvmlDeviceGetName", device);
    return code == NVML_OK ? copy_text(gpu_of(device)->name, to, size) : code;
}
EXPORT int nvmlDeviceGetUUID(void *device, char *to, unsigned size);
int nvmlDeviceGetUUID(void *device, char *to, unsigned size) {
    int code = enter("nvmlDeviceGetUUID", device);
    return code == NVML_OK ? copy_text(gpu_of(device)->uuid, to, size) : code;
}

EXPORT int nvmlDeviceGetPciInfo_v3(void *device, struct nvml_pci *out);
int nvmlDeviceGetPciInfo_v3(void *device, struct nvml_pci *out) {
    *out = (struct nvml_pci){.domain = 0x5a11, .bus = gpu_of(device)->index + 1};
    return enter("nvmlDeviceGetPciInfo_v3", device);
}

GET(nvmlDeviceGetFanSpeed, gpu->fan)
GET(nvmlDeviceGetPowerUsage, gpu->power)
GET(nvmlDeviceGetEnforcedPowerLimit, gpu->limit)
GET(nvmlDeviceGetCurrPcieLinkWidth, gpu->width)
GET(nvmlDeviceGetMaxPcieLinkWidth, gpu->width_max)
GET(nvmlDeviceGetCurrPcieLinkGeneration, gpu->generation)
GET(nvmlDeviceGetMaxPcieLinkGeneration, gpu->generation_max)
CHOOSE(nvmlDeviceGetTemperature, choice == 0 ? gpu->temperature : 0)
CHOOSE(nvmlDeviceGetClockInfo, choice == NVML_CLOCK_SM ? gpu->clock : gpu->memory_clock)
CHOOSE(nvmlDeviceGetMaxClockInfo, choice == NVML_CLOCK_SM ? gpu->clock_max : gpu->memory_clock)

EXPORT int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *out);
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *out) {
    *out = gpu_of(device)->energy_joules * 1000ULL;
    return enter("nvmlDeviceGetTotalEnergyConsumption", device);
}

EXPORT int nvmlDeviceGetUtilizationRates(void *device, struct nvml_utilization *out);
int nvmlDeviceGetUtilizationRates(void *device, struct nvml_utilization *out) {
    *out = (struct nvml_utilization){.gpu = gpu_of(device)->utilization};
    return enter("nvmlDeviceGetUtilizationRates", device);
}

#ifdef STAND_OLD
EXPORT int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *out);
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *out) {
    *out = gpu_of(device)->slow;
    return enter("nvmlDeviceGetCurrentClocksThrottleReasons", device);
}
#else
EXPORT int nvmlDeviceGetCurrentClocksEventReasons(void *device, unsigned long long *out);
int nvmlDeviceGetCurrentClocksEventReasons(void *device, unsigned long long *out) {
    *out = gpu_of(device)->slow;
    return enter("nvmlDeviceGetCurrentClocksEventReasons", device);
}

EXPORT int nvmlDeviceGetTemperatureV(void *device, struct nvml_temperature *out);
int nvmlDeviceGetTemperatureV(void *device, struct nvml_temperature *out) {
    if (out->version != NVML_TEMPERATURE_VERSION)
        return NVML_INVALID;
    out->celsius = (int)gpu_of(device)->temperature;
    return enter("nvmlDeviceGetTemperatureV", device);
}

EXPORT int nvmlDeviceGetMemoryInfo_v2(void *device, struct nvml_memory2 *out);
int nvmlDeviceGetMemoryInfo_v2(void *device, struct nvml_memory2 *out) {
    const struct stand_gpu *gpu = gpu_of(device);
    if (out->version != NVML_MEMORY2_VERSION)
        return NVML_INVALID;
    out->total = (unsigned long long)gpu->memory_total_mib << 20;
    out->used = (unsigned long long)gpu->memory_used_mib << 20;
    return enter("nvmlDeviceGetMemoryInfo_v2", device);
}
#endif

EXPORT int nvmlDeviceGetMemoryInfo(void *device, struct nvml_memory *out);
int nvmlDeviceGetMemoryInfo(void *device, struct nvml_memory *out) {
    const struct stand_gpu *gpu = gpu_of(device);
    out->total = (unsigned long long)gpu->memory_total_mib << 20;
    out->used = (unsigned long long)gpu->memory_used_mib << 20;
    return enter("nvmlDeviceGetMemoryInfo", device);
}

EXPORT int nvmlDeviceGetNvLinkState(void *device, unsigned link, unsigned *out);
int nvmlDeviceGetNvLinkState(void *device, unsigned link, unsigned *out) {
    const struct stand_gpu *gpu = gpu_of(device);
    if (link >= gpu->links)
        return NVML_NOT_SUPPORTED;
    *out = link < gpu->links_active;
    return enter("nvmlDeviceGetNvLinkState", device);
}

EXPORT int nvmlDeviceGetTotalEccErrors(void *device, unsigned type, unsigned counter, unsigned long long *out);
int nvmlDeviceGetTotalEccErrors(void *device, unsigned type, unsigned counter, unsigned long long *out) {
    const struct stand_gpu *gpu = gpu_of(device);
    if (counter != NVML_ECC_VOLATILE)
        return NVML_INVALID;
    *out = type == NVML_ECC_CORRECTED ? gpu->corrected : gpu->uncorrected;
    return enter("nvmlDeviceGetTotalEccErrors", device);
}

EXPORT int nvmlDeviceGetMigMode(void *device, unsigned *now, unsigned *pending);
int nvmlDeviceGetMigMode(void *device, unsigned *now, unsigned *pending) {
    *now = *pending = gpu_of(device)->parts > 0;
    return enter("nvmlDeviceGetMigMode", device);
}
GET(nvmlDeviceGetMaxMigDeviceCount, gpu->parts > 0 ? STAND_PARTS : 0)
EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned index, void **out);
int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned index, void **out) {
    const struct stand_gpu *gpu = gpu_of(device);
    if (index >= gpu->parts)
        return NVML_NOT_FOUND;
    *out = &stand.parts[gpu->index][index];
    return enter("nvmlDeviceGetMigDeviceHandleByIndex", device);
}

/* Rows of that size, into room for *count of them. */
static int list(void *device, bool graphics, size_t size, unsigned *count, void *rows) {
    enum { NO_PERMISSION = 4 };
    const struct stand_script *script = &stand.script;
    const struct stand_gpu *gpu = gpu_of(device);
    const char *part = device == gpu ? NULL : device;
    unsigned found = 0, room = *count;
    if (gpu->parts > 0 && !part)
        return NO_PERMISSION;
    for (unsigned i = 0; i < script->process_count; i++) {
        const struct stand_process *process = &script->processes[i];
        if (process->gpu != gpu->index || !(graphics ? process->draws : process->computes) ||
            (part && part != &stand.parts[gpu->index][process->part]))
            continue;
        const struct nvml_process_odd row = {.pid = process->pid,
                                             .memory = (unsigned long long)process->mib << 20,
                                             .gpu_instance = UINT32_MAX,
                                             .compute_instance = UINT32_MAX};
        if (found < room)
            memcpy((char *)rows + found * size, &row, size);
        found++;
    }
    *count = found;
    return found <= room ? NVML_OK : NVML_TOO_SMALL;
}

#define LIST(function, call) \
    EXPORT int function(void *device, unsigned *count, void *rows); \
    int function(void *device, unsigned *count, void *rows) { \
        return call; \
    }
#ifdef STAND_OLD
LIST(nvmlDeviceGetComputeRunningProcesses, list(device, false, sizeof(struct nvml_process1), count, rows))
LIST(nvmlDeviceGetGraphicsRunningProcesses, list(device, true, sizeof(struct nvml_process1), count, rows))
#else
static int list_new(const char *function, void *device, bool graphics, unsigned *count, void *rows) {
    size_t size = stand.script.odd ? sizeof(struct nvml_process_odd) : sizeof(struct nvml_process2);
    int code = enter(function, device);
    return code == NVML_OK ? list(device, graphics, size, count, rows) : code;
}

LIST(nvmlDeviceGetComputeRunningProcesses_v3,
     list_new("nvmlDeviceGetComputeRunningProcesses_v3", device, false, count, rows))
LIST(nvmlDeviceGetGraphicsRunningProcesses_v3,
     list_new("nvmlDeviceGetGraphicsRunningProcesses_v3", device, true, count, rows))
#endif

#ifndef STAND_OLD
EXPORT int nvmlDeviceGetProcessUtilization(void *device, struct nvml_process_use *rows, unsigned *count,
                                           unsigned long long since_us);
int nvmlDeviceGetProcessUtilization(void *device, struct nvml_process_use *rows, unsigned *count,
                                    unsigned long long since_us) {
    const struct stand_script *script = &stand.script;
    const struct stand_gpu *gpu = gpu_of(device);
    unsigned found = 0, room = rows ? *count : 0;
    int code = enter("nvmlDeviceGetProcessUtilization", device);
    if (code != NVML_OK)
        return code;
    for (unsigned i = 0; i < script->process_count; i++) {
        const struct stand_process *process = &script->processes[i];
        if (process->gpu != gpu->index || process->percent == 0)
            continue;
        if (found < room)
            rows[found] =
                (struct nvml_process_use){.pid = process->pid, .time_us = since_us + 1, .sm = process->percent};
        found++;
    }
    *count = found;
    return found == 0 ? NVML_NOT_FOUND : found <= room ? NVML_OK : NVML_TOO_SMALL;
}
#endif

EXPORT int nvmlEventSetCreate(void **out);
int nvmlEventSetCreate(void **out) {
    *out = &stand.set;
    return NVML_OK;
}

EXPORT int nvmlDeviceRegisterEvents(void *device, unsigned long long types, void *set);
int nvmlDeviceRegisterEvents(void *device, unsigned long long types, void *set) {
    if (set != &stand.set || types != NVML_EVENT_XID)
        return NVML_INVALID;
    stand.watched |= 1U << gpu_of(device)->index;
    return enter("nvmlDeviceRegisterEvents", device);
}

EXPORT int nvmlEventSetWait_v2(void *set, struct nvml_event *out, unsigned milliseconds);
int nvmlEventSetWait_v2(void *set, struct nvml_event *out, unsigned milliseconds) {
    struct stand_script *script = refreshed();
    (void)enter("nvmlEventSetWait_v2", NULL);
    if (set != &stand.set || milliseconds != 0)
        return NVML_INVALID;
    for (unsigned i = 0; i < script->gpu_count; i++) {
        if (!(stand.watched >> i & 1) || stand.xid_told[i] >= script->gpus[i].xid_count)
            continue;
        stand.xid_told[i]++;
        *out = (struct nvml_event){.device = &script->gpus[i], .type = NVML_EVENT_XID, .data = script->gpus[i].xid};
        return NVML_OK;
    }
    return NVML_TIMEOUT;
}
