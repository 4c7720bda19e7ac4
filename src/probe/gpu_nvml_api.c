/* Finding the functions of the library, whatever its age. */
#include <dlfcn.h>
#include <string.h>

#include "gpu_nvml.h"
#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

#define AT(member) offsetof(struct nvml_api, member)

/* The newest name comes first. Names without a version are not the newest ones: nvml.h maps them to these. */
static const struct {
    size_t offset;
    const char *names[2];
    bool is_needed;
} symbols[] = {
    {AT(init), {"nvmlInit_v2", NULL}, true},
    {AT(shutdown), {"nvmlShutdown", NULL}, true},
    {AT(driver), {"nvmlSystemGetDriverVersion", NULL}, false},
    {AT(count), {"nvmlDeviceGetCount_v2", NULL}, true},
    {AT(by_index), {"nvmlDeviceGetHandleByIndex_v2", NULL}, true},
    {AT(by_address), {"nvmlDeviceGetHandleByPciBusId_v2", NULL}, false},
    {AT(name), {"nvmlDeviceGetName", NULL}, false},
    {AT(uuid), {"nvmlDeviceGetUUID", NULL}, false},
    {AT(pci), {"nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetPciInfo_v2"}, false},
    {AT(utilization), {"nvmlDeviceGetUtilizationRates", NULL}, false},
    {AT(memory), {"nvmlDeviceGetMemoryInfo", NULL}, false},
    {AT(memory2), {"nvmlDeviceGetMemoryInfo_v2", NULL}, false},
    {AT(temperature), {"nvmlDeviceGetTemperatureV", NULL}, false},
    {AT(temperature_old), {"nvmlDeviceGetTemperature", NULL}, false},
    {AT(fan), {"nvmlDeviceGetFanSpeed", NULL}, false},
    {AT(power), {"nvmlDeviceGetPowerUsage", NULL}, false},
    {AT(power_limit), {"nvmlDeviceGetEnforcedPowerLimit", NULL}, false},
    {AT(energy), {"nvmlDeviceGetTotalEnergyConsumption", NULL}, false},
    {AT(clock), {"nvmlDeviceGetClockInfo", NULL}, false},
    {AT(clock_max), {"nvmlDeviceGetMaxClockInfo", NULL}, false},
    {AT(slow), {"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"}, false},
    {AT(pcie_width), {"nvmlDeviceGetCurrPcieLinkWidth", NULL}, false},
    {AT(pcie_width_max), {"nvmlDeviceGetMaxPcieLinkWidth", NULL}, false},
    {AT(pcie_generation), {"nvmlDeviceGetCurrPcieLinkGeneration", NULL}, false},
    {AT(pcie_generation_max), {"nvmlDeviceGetMaxPcieLinkGeneration", NULL}, false},
    {AT(nvlink), {"nvmlDeviceGetNvLinkState", NULL}, false},
    {AT(ecc), {"nvmlDeviceGetTotalEccErrors", NULL}, false},
    {AT(mig_mode), {"nvmlDeviceGetMigMode", NULL}, false},
    {AT(mig_count), {"nvmlDeviceGetMaxMigDeviceCount", NULL}, false},
    {AT(mig_device), {"nvmlDeviceGetMigDeviceHandleByIndex", NULL}, false},
    {AT(process_use), {"nvmlDeviceGetProcessUtilization", NULL}, false},
    {AT(events_new), {"nvmlEventSetCreate", NULL}, false},
    {AT(events_register), {"nvmlDeviceRegisterEvents", NULL}, false},
    {AT(events_wait), {"nvmlEventSetWait_v2", NULL}, false},
};

/* Both lists have the same version. */
static const struct {
    const char *compute, *graphics;
    size_t size;
} lists[] = {
    {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetGraphicsRunningProcesses_v3",
     sizeof(struct nvml_process2)},
    {"nvmlDeviceGetComputeRunningProcesses_v2", "nvmlDeviceGetGraphicsRunningProcesses_v2",
     sizeof(struct nvml_process2)},
    {"nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses", sizeof(struct nvml_process1)},
};

/* Standard C has no way from dlsym's pointer to one to a function, but both are as long. */
static bool api_find(struct nvml_api *api, size_t offset, const char *name) {
    void *address = dlsym(api->library, name);
    if (address)
        memcpy((char *)api + offset, &address, sizeof address);
    return address != NULL;
}

/* Whether this driver has the odd rows under a name that says otherwise. */
static bool has_odd_rows(const char *driver) {
    char text[8] = "";
    uint64_t minor;
    size_t digits = str_starts(driver, "535.") ? strspn(driver + 4, "0123456789") : 0;
    if (digits == 0 || digits >= sizeof text)
        return false;
    memcpy(text, driver + 4, digits);
    return str_u64(text, 43, 86, &minor) == 0;
}

static void api_find_lists(struct nvml_api *api, const char *driver) {
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (!api_find(api, AT(compute), lists[i].compute))
            continue;
        (void)api_find(api, AT(graphics), lists[i].graphics);
        api->process_size = i == 0 && has_odd_rows(driver) ? sizeof(struct nvml_process_odd) : lists[i].size;
        return;
    }
}

static int api_find_all(struct nvml_api *api) {
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        bool found = api_find(api, symbols[i].offset, symbols[i].names[0]) ||
                     (symbols[i].names[1] && api_find(api, symbols[i].offset, symbols[i].names[1]));
        if (!found && symbols[i].is_needed)
            return SP_EFORMAT;
    }
    return 0;
}

/* Where the loader looks; some systems do not tell it where they keep the driver's libraries. */
static void *open_library(void) {
    static const char *const places[] = {NVML_LIBRARY, "/usr/lib/wsl/lib/" NVML_LIBRARY,
                                         "/run/opengl-driver/lib/" NVML_LIBRARY};
    void *library = NULL;
    for (size_t i = 0; i < sizeof places / sizeof places[0] && !library; i++)
        library = dlopen(places[i], RTLD_NOW | RTLD_LOCAL);
    return library;
}

int nvml_api_open(struct nvml_api *api, char *driver, size_t driver_size) {
    struct nvml_api opened = {.library = open_library()};
    if (!opened.library)
        return SP_ENOENT;
    int rc = api_find_all(&opened);
    if (rc == 0 && opened.init() != NVML_OK)
        rc = SP_ESYS;
    if (rc != 0) {
        (void)dlclose(opened.library);
        return rc;
    }
    driver[0] = '\0';
    if (!opened.driver || opened.driver(driver, (unsigned)driver_size) != NVML_OK)
        driver[0] = '\0';
    driver[driver_size - 1] = '\0';
    api_find_lists(&opened, driver);
    *api = opened;
    return 0;
}

void nvml_api_close(struct nvml_api *api) {
    if (!api->library)
        return;
    (void)api->shutdown();
    (void)dlclose(api->library);
    *api = (struct nvml_api){.library = NULL};
}
