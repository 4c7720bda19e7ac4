/* What we use of NVML (the NVIDIA Management Library), declared by ourselves: it is loaded when it is there, and needed
 * neither to build nor to run. Figures and layouts are those of the library's documentation, version 13. */
#ifndef SALLYPORT_PROBE_GPU_NVML_H
#define SALLYPORT_PROBE_GPU_NVML_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NVML_LIBRARY "libnvidia-ml.so.1"

/* What every function returns. */
enum nvml_code {
    NVML_OK = 0,
    NVML_INVALID = 2,
    NVML_NOT_SUPPORTED = 3,
    NVML_NOT_FOUND = 6,
    NVML_TOO_SMALL = 7, /* of a list: its length was written */
    NVML_TIMEOUT = 10,
    NVML_NO_FUNCTION = 13,
    NVML_LOST = 15,
    NVML_RESET_WANTED = 16,
};

enum { NVML_CLOCK_SM = 1, NVML_CLOCK_MEMORY = 2 };
enum { NVML_ECC_CORRECTED = 0, NVML_ECC_UNCORRECTED = 1, NVML_ECC_VOLATILE = 0 };
enum { NVML_TEMPERATURE_OF_GPU = 0, NVML_LINKS_MAX = 18 };
#define NVML_EVENT_XID 8ULL
#define NVML_NO_VALUE UINT64_MAX

/* Why clocks are lower than they could be. */
#define NVML_SLOW_POWER_CAP 0x04ULL
#define NVML_SLOW_HARDWARE 0x08ULL
#define NVML_SLOW_THERMAL_SOFTWARE 0x20ULL
#define NVML_SLOW_THERMAL_HARDWARE 0x40ULL
#define NVML_SLOW_POWER_BRAKE 0x80ULL

struct nvml_utilization {
    unsigned gpu, memory; /* percent */
};
struct nvml_memory {
    unsigned long long total, free, used;
};
struct nvml_memory2 {
    unsigned version;
    unsigned long long total, reserved, free, used;
};
struct nvml_temperature {
    unsigned version, sensor;
    int celsius;
};
struct nvml_pci {
    char old_address[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char address[32]; /* "00000000:01:00.0" */
};
struct nvml_event {
    void *device;
    unsigned long long type, data;
    unsigned gpu_instance, compute_instance;
};
/* Rows of the lists of processes, by the version of the function that gives them. */
struct nvml_process1 {
    unsigned pid;
    unsigned long long memory;
};
struct nvml_process2 {
    unsigned pid;
    unsigned long long memory;
    unsigned gpu_instance, compute_instance;
};
/* Drivers 535.43 to 535.86 have this where later and earlier ones have the one above. */
struct nvml_process_odd {
    unsigned pid;
    unsigned long long memory;
    unsigned gpu_instance, compute_instance;
    unsigned long long protected_memory;
};
struct nvml_process_use {
    unsigned pid;
    unsigned long long time_us;
    unsigned sm, memory, encoder, decoder; /* percent */
};
#define NVML_MEMORY2_VERSION 0x02000028U
#define NVML_TEMPERATURE_VERSION 0x0100000cU

static_assert(sizeof(struct nvml_utilization) == 8, "as in nvml.h");
static_assert(sizeof(struct nvml_memory) == 24, "as in nvml.h");
static_assert(sizeof(struct nvml_memory2) == 40, "as in nvml.h");
static_assert(sizeof(struct nvml_temperature) == 12, "as in nvml.h");
static_assert(sizeof(struct nvml_pci) == 68, "as in nvml.h");
static_assert(sizeof(struct nvml_event) == 32, "as in nvml.h");
static_assert(sizeof(struct nvml_process1) == 16, "as in nvml.h");
static_assert(sizeof(struct nvml_process2) == 24, "as in nvml.h");
static_assert(sizeof(struct nvml_process_odd) == 32, "as in nvml.h of 535.43");
static_assert(sizeof(struct nvml_process_use) == 32, "as in nvml.h");

/* The functions; NULL: this library does not have it. */
struct nvml_api {
    void *library;
    int (*init)(void);
    int (*shutdown)(void);
    int (*driver)(char *to, unsigned size);
    int (*count)(unsigned *out);
    int (*by_index)(unsigned index, void **out);
    int (*by_address)(const char *address, void **out);
    int (*name)(void *device, char *to, unsigned size);
    int (*uuid)(void *device, char *to, unsigned size);
    int (*pci)(void *device, struct nvml_pci *out);
    int (*utilization)(void *device, struct nvml_utilization *out);
    int (*memory)(void *device, struct nvml_memory *out);
    int (*memory2)(void *device, struct nvml_memory2 *out);
    int (*temperature)(void *device, struct nvml_temperature *out);
    int (*temperature_old)(void *device, unsigned sensor, unsigned *out);
    int (*fan)(void *device, unsigned *percent);
    int (*power)(void *device, unsigned *milliwatts);
    int (*power_limit)(void *device, unsigned *milliwatts);
    int (*energy)(void *device, unsigned long long *millijoules);
    int (*clock)(void *device, unsigned which, unsigned *mhz);
    int (*clock_max)(void *device, unsigned which, unsigned *mhz);
    int (*slow)(void *device, unsigned long long *bits);
    int (*pcie_width)(void *device, unsigned *out);
    int (*pcie_width_max)(void *device, unsigned *out);
    int (*pcie_generation)(void *device, unsigned *out);
    int (*pcie_generation_max)(void *device, unsigned *out);
    int (*nvlink)(void *device, unsigned link, unsigned *is_active);
    int (*ecc)(void *device, unsigned type, unsigned counter, unsigned long long *out);
    int (*mig_mode)(void *device, unsigned *now, unsigned *pending);
    int (*mig_count)(void *device, unsigned *out);
    int (*mig_device)(void *device, unsigned index, void **out);
    int (*process_use)(void *device, struct nvml_process_use *rows, unsigned *count, unsigned long long since_us);
    int (*events_new)(void **set);
    int (*events_register)(void *device, unsigned long long types, void *set);
    int (*events_wait)(void *set, struct nvml_event *out, unsigned milliseconds);
    /* Those on the GPU for computing, and for graphics: `rows` holds *count rows of process_size bytes. */
    int (*compute)(void *device, unsigned *count, void *rows);
    int (*graphics)(void *device, unsigned *count, void *rows);
    size_t process_size;
};

/* Loads the library and starts it. 0, SP_ENOENT (not there), SP_EFORMAT (not one that we know), SP_ESYS (it did not start:
 * no driver, no GPU). */
int nvml_api_open(struct nvml_api *api, char *driver, size_t driver_size);
void nvml_api_close(struct nvml_api *api);

#endif
