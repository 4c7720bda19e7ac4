/* What the files about AMD's and Intel's GPUs share. */
#ifndef SALLYPORT_PROBE_GPU_DRM_H
#define SALLYPORT_PROBE_GPU_DRM_H

#include "gpu_local.h"
#include "kernel_file.h"

enum { DRM_GPUS_MAX = 8, DRM_ADDRESS_SIZE = 16, DRM_ENGINES_MAX = 12, DRM_CLIENTS_MAX = 256 };

enum drm_maker { DRM_AMD, DRM_INTEL };

struct drm_gpu {
    enum drm_maker maker;
    bool is_integrated;                   /* part of the processor, with the machine's memory */
    char card[16];                        /* "card1" */
    char address[DRM_ADDRESS_SIZE];       /* "0000:03:00.0" */
    char hwmon[KERNEL_NAME_SIZE];         /* "hwmon4"; "": it has none */
    char driver[16], name[96];            /* "amdgpu" */
    uint64_t kfd_id;                      /* as AMD's compute driver calls it; 0: not known */
    int64_t index;                        /* of the sample */
    int64_t energy_uj;                    /* as of the last sample */
    uint64_t energy_at_ms;                /* 0: there was none */
    double engines_used[DRM_ENGINES_MAX]; /* share of the time since the last sample, by engine; of all clients */
    char engines[DRM_ENGINES_MAX][16];
    size_t engine_count;
};

/* A process's open door to a GPU, found by its descriptor. */
struct drm_client {
    int64_t pid, fd, id;
    size_t gpu;                       /* among drm->gpus */
    uint64_t read_at_ms;              /* 0: its times were not read yet */
    uint64_t busy[DRM_ENGINES_MAX];   /* by the GPU's engine: ns, or cycles ... */
    uint64_t cycles[DRM_ENGINES_MAX]; /* ... of these; 0: busy is ns */
    int64_t memory_bytes;
    double used_share; /* of its busiest engine, since the last sample; NAN */
};

struct drm {
    const char *root;
    uint64_t found_at_ms;   /* when GPUs were looked for; 0: never */
    uint64_t scanned_at_ms; /* and clients */
    uint64_t sampled_at_ms; /* the last sample; 0: there was none */
    struct drm_gpu gpus[DRM_GPUS_MAX];
    size_t gpu_count;
    struct drm_client clients[DRM_CLIENTS_MAX];
    size_t client_count;
};

/* The file of the GPU's device, or of its hwmon: STATUS_UNKNOWN when it has no number of 0 or more. */
int64_t drm_integer(const struct drm *drm, const struct drm_gpu *gpu, const char *leaf);
int64_t drm_hwmon(const struct drm *drm, const struct drm_gpu *gpu, const char *leaf);

/* Takes the number at *at, behind blanks, and moves on behind it. False when there is none. */
bool drm_take(const char **at, int base, unsigned *out);

/* Fill in what this maker's driver says; the GPU does not sleep. */
void drm_read_amd(const struct drm *drm, const struct drm_gpu *gpu, struct gpu *told);
void drm_read_intel(const struct drm *drm, const struct drm_gpu *gpu, struct gpu *told);
/* The memory that each process has through AMD's compute driver, which is not told where the others are. */
void drm_read_kfd(const struct drm *drm, const struct drm_gpu *gpu, struct gpu_users *users);

/* Reads what the clients have used since the last sample into clients and GPUs. New clients are looked for now and then
 * only: that means going through all processes. */
void drm_clients_sample(struct drm *drm, uint64_t now_ms);

/* What a client's file says: the lines "drm-...:" of /proc/PID/fdinfo/FD. The text is taken apart. */
struct drm_fdinfo {
    char address[DRM_ADDRESS_SIZE];
    int64_t id, memory_bytes;
    size_t engine_count;
    struct {
        char name[16];
        uint64_t busy, cycles;
    } engines[DRM_ENGINES_MAX];
};
/* SP_EFORMAT: it is none, or says not which GPU and client. */
int drm_fdinfo_read(char *text, struct drm_fdinfo *out);

#endif
