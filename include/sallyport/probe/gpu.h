/* The GPUs, and which processes are on them: NVIDIA's by NVML, AMD's and Intel's by what the kernel shows. They are asked
 * by a child process, because a sick driver hangs or crashes whoever asks it. */
#ifndef SALLYPORT_PROBE_GPU_H
#define SALLYPORT_PROBE_GPU_H

#include <stdint.h>

#include "sallyport/base/loop.h"
#include "sallyport/domain/status.h"

struct gpu_probe;

/* Milliseconds; 0 stands for the usual one. */
struct gpu_probe_config {
    const char *root;       /* stands before /proc and /sys; NULL: "" */
    uint64_t answer_ms;     /* a sample takes longer: the driver hangs (5 s) */
    uint64_t start_ms;      /* so long may the first sample of a child take, where drivers have to wake (60 s) */
    uint64_t retry_ms;      /* before a child is started in place of one that hung or crashed (30 s) ... */
    uint64_t retry_most_ms; /* ... twice as long each time, up to this (10 min) */
    uint64_t again_ms;      /* before a machine without GPUs, or with one that is lost, is looked at anew (10 min) */
};

/* Starts nothing yet. 0, SP_ENOMEM, or SP_ETOOBIG (root). The child is this program itself (/proc/self/exe gpu-worker): its
 * main must call gpu_worker_main first of all. */
int gpu_probe_new(struct loop *loop, const struct gpu_probe_config *config, struct gpu_probe **out);
/* Ends the child; a `done` that was waited for is not called. NULL is allowed. */
void gpu_probe_free(struct gpu_probe *probe);

/* Measures, and calls `done` once, from the loop, within answer_ms whatever the driver does: in the next turn where there
 * is nobody to ask. Then gpu_probe_read has what is known. SP_EBUSY: the last one has not ended yet. */
int gpu_probe_sample(struct gpu_probe *probe, void (*done)(void *ctx), void *ctx);
/* Adds to `out` the GPUs, by index, and the processes on them: pid, gpus, gpu_memory_used_bytes, gpu_used_share, nothing
 * else. While the driver hangs, GPUs have the state "hanging" and no figures, and the processes are the last known ones,
 * of which some may have ended. A GPU keeps its index as long as the probe lives, also when another one is lost. 0, or
 * SP_ENOMEM when some were left out. */
int gpu_probe_read(const struct gpu_probe *probe, struct status *out);

/* In the child: answers questions on descriptor 0 until it is closed. To be called at the top of main; returns -1 at once
 * when argv[1] is not "gpu-worker", else the exit status. */
int gpu_worker_main(int argc, char **argv);

#endif
