/* What the files of the GPU probe share: what the parent remembers, and what the child is made of. */
#ifndef SALLYPORT_PROBE_GPU_LOCAL_H
#define SALLYPORT_PROBE_GPU_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/status.h"

/* ---- Messages on a pair of SOCK_SEQPACKET: one byte asks, a status as JSON answers, with gpus and processes only ---- */

#define GPU_MESSAGE_MAX 65536
#define GPU_QUESTION '?'
/* How a child ends that found no GPU. */
enum { GPU_EXIT_NONE = 4 };

/* Reads what the child sent; nothing of it is believed. `out` is overwritten, and the caller's (status_fini). SP_EFORMAT,
 * SP_ETOOBIG, SP_ENOMEM. */
int gpu_message_read(const char *bytes, size_t n, struct status *out);

/* ---- The parent: what is known of the GPUs, over the lives of several children ---- */

struct gpu_known {
    struct status now;                   /* gpus and processes */
    int64_t xid_before[STATUS_GPUS_MAX]; /* by index: errors that earlier children counted */
};

void gpu_known_init(struct gpu_known *known);
void gpu_known_fini(struct gpu_known *known);
/* A child was started, which counts errors from 0. */
void gpu_known_restart(struct gpu_known *known);
/* Takes over a sample, whose members may be moved away. A GPU keeps its index. NVIDIA's that are missing are lost; others
 * were taken out. SP_ENOMEM: all is as before. */
int gpu_known_take(struct gpu_known *known, const struct status *sample);
/* Nobody answers. */
void gpu_known_hang(struct gpu_known *known);

/* ---- The child: the processes that it finds, until they are told ---- */

enum { GPU_USERS_MAX = 512 };
struct gpu_user {
    int64_t pid, memory_bytes; /* memory: on all its GPUs; STATUS_UNKNOWN */
    uint32_t gpus;
    double used_share; /* the sum over `shares` GPUs */
    unsigned shares;
};
struct gpu_users {
    struct gpu_user items[GPU_USERS_MAX];
    size_t count;
};

/* The process is on the GPU with that index; what is not known is STATUS_UNKNOWN, NAN. What comes twice is added. */
void gpu_users_add(struct gpu_users *users, int64_t pid, int64_t index, int64_t memory_bytes, double used_share);
/* Adds them to the status, those with the most memory first; without those that have no entry in /proc: of another
 * container, or what the library wrote is no pid. */
void gpu_users_tell(struct gpu_users *users, const char *root, struct status *out);

/* What a GPU is called that has no name of its own ("pci-0000:03:00.0"). */
void gpu_set_pci_id(struct gpu *gpu, const char *address);
/* Whether the device sleeps: it is not to be woken only to be asked how it is. */
bool gpu_is_asleep(const char *root, const char *address);

/* ---- NVIDIA ---- */

struct nvml;
/* 0; SP_ENOENT: neither the library nor a GPU of this maker is there; SP_ENOMEM. */
int nvml_new(const char *root, struct nvml **out);
void nvml_free(struct nvml *nvml);
/* Adds the GPUs and their processes. `now_ms` is os_monotonic_ms. */
void nvml_sample(struct nvml *nvml, uint64_t now_ms, struct status *out, struct gpu_users *users);

/* ---- AMD and Intel: the kernel's direct rendering manager ---- */

struct drm;
/* SP_ENOMEM. Finds GPUs at the first sample. */
int drm_new(const char *root, struct drm **out);
void drm_free(struct drm *drm);
/* The same; indices follow those that are in `out` already. Integrated GPUs count only where there is no other. */
void drm_sample(struct drm *drm, uint64_t now_ms, struct status *out, struct gpu_users *users);

#endif
