/* What the stand-in for NVIDIA's library shows, as a script says; read anew whenever the file has changed.
 *
 * SALLYPORT_NVML_SCRIPT names the file; without it there are two GPUs that are well. A line is one of
 *   # ...                                   a comment
 *   gpus COUNT                              2 unless said
 *   driver VERSION                          "550.54.14" unless said
 *   init CODE                               what starting the library returns: 9 is "no driver"
 *   gpu N NAME VALUE                        a figure of nvml_script_names, in the library's units (mW, MHz, percent; MiB)
 *   gpu N name TEXT | uuid TEXT
 *   gpu N lost                              it fell off its bus
 *   gpu N unsupported FUNCTION...           nvmlDeviceGet... that it does not have
 *   gpu N mig PARTS                         it is shared out; its processes are told part by part only
 *   gpu N xid NUMBER COUNT                  so many such errors since the library was loaded
 *   process N PID MIB [PERCENT [graphics|both [PART]]]
 *   odd                                     rows of processes are those of drivers 535.43 to 535.86
 *   hang FUNCTION SECONDS (0.5) | crash FUNCTION    what happens in that function (nvml...), every time
 */
#ifndef SALLYPORT_TESTS_STAND_NVML_SCRIPT_H
#define SALLYPORT_TESTS_STAND_NVML_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

enum { STAND_GPUS = 16, STAND_PROCESSES = 64, STAND_PARTS = 7, STAND_WORD = 64, STAND_TEXT = 96 };

struct stand_gpu {
    unsigned index;
    unsigned utilization, memory_total_mib, memory_used_mib, temperature, fan, power, limit, clock, clock_max,
        memory_clock, slow, width, width_max, generation, generation_max, links, links_active, corrected, uncorrected,
        energy_joules, parts;
    unsigned xid, xid_count;
    bool lost;
    char name[STAND_TEXT], uuid[STAND_TEXT];
    char unsupported[512]; /* with a blank before and after each */
};

struct stand_process {
    unsigned gpu, pid, mib, percent, part;
    bool computes, draws;
};

struct stand_script {
    struct stat seen;
    unsigned gpu_count, process_count;
    int init_code;
    double hang_s;
    bool odd;
    char driver[STAND_WORD], hang[STAND_WORD], crash[STAND_WORD];
    struct stand_gpu gpus[STAND_GPUS];
    struct stand_process processes[STAND_PROCESSES];
};

/* Reads the script when it has changed. A line that makes no sense ends the process, with a word on standard error. */
void stand_script_refresh(struct stand_script *script);

#endif
