#include "cpu.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_file.h"
#include "sallyport/base/str.h"

static void sample_uptime(const char *text, struct status *out) {
    double seconds = kernel_decimal(&text);
    if (!isnan(seconds))
        out->uptime_s = (int64_t)seconds;
}

static void sample_load(const char *text, struct status *out) {
    out->load_1m = kernel_decimal(&text);
    out->load_5m = kernel_decimal(&text);
    out->load_15m = kernel_decimal(&text);
}

/* "0-15,32-47": how many there are. */
static void sample_count(char *text, struct status *out) {
    int64_t count = 0;
    char *rest = NULL;
    for (char *range = strtok_r(text, ",", &rest); range != NULL; range = strtok_r(NULL, ",", &rest)) {
        uint64_t first, last;
        char *dash = strchr(range, '-');
        if (dash != NULL)
            *dash = '\0';
        if (str_u64(range, 0, UINT16_MAX, &first) != 0)
            return;
        last = first;
        if (dash != NULL && str_u64(dash + 1, first, UINT16_MAX, &last) != 0)
            return;
        count += (int64_t)(last - first) + 1;
    }
    if (count > 0)
        out->cpu_count = count;
}

/* The first line, proc(5): "cpu  USER NICE SYSTEM IDLE IOWAIT IRQ SOFTIRQ STEAL ...". Guests are within USER. */
static bool parse_counters(const char *text, struct cpu_counters *out) {
    enum { IDLE = 3, IOWAIT = 4, STEAL = 7, COLUMNS = 8 };
    struct cpu_counters counters = {.known = true};
    const char *at = text + 4;
    if (!str_starts(text, "cpu "))
        return false;
    for (int i = 0; i < COLUMNS; i++) {
        char *end;
        uint64_t value = strtoull(at, &end, 10);
        if (end == at)
            return false;
        at = end;
        counters.total += value;
        /* what the host gave to others was neither used here nor idle */
        if (i != IDLE && i != IOWAIT && i != STEAL)
            counters.busy += value;
    }
    *out = counters;
    return true;
}

static void sample_use(const char *text, struct cpu_counters *before, struct status *out) {
    struct cpu_counters now;
    if (!parse_counters(text, &now)) {
        before->known = false;
        return;
    }
    if (before->known && now.total > before->total && now.busy >= before->busy) {
        double share = (double)(now.busy - before->busy) / (double)(now.total - before->total);
        out->cpu_used_share = share < 1 ? share : 1; /* the columns are not read in one moment */
    }
    *before = now;
}

/* "some avg10=0.00 avg60=1.25 avg300=0.50 total=4711", and a line "full ...": the last minute's, a percentage. */
static double pressure(const char *text, const char *which) {
    const char *line = strstr(text, which);
    const char *at = line == NULL ? NULL : strstr(line, " avg60=");
    if (at == NULL || at > line + strcspn(line, "\n"))
        return NAN;
    at += strlen(" avg60=");
    double percent = kernel_decimal(&at);
    return percent <= 100 ? percent / 100 : NAN;
}

static void sample_pressure(const char *root, struct status *out) {
    char text[512];
    if (kernel_text(text, sizeof text, root, "/proc/pressure/cpu") == 0)
        out->cpu_pressure_share = pressure(text, "some");
    if (kernel_text(text, sizeof text, root, "/proc/pressure/memory") == 0) {
        out->memory_pressure_share = pressure(text, "some");
        out->memory_pressure_full_share = pressure(text, "full");
    }
    if (kernel_text(text, sizeof text, root, "/proc/pressure/io") == 0) {
        out->io_pressure_share = pressure(text, "some");
        out->io_pressure_full_share = pressure(text, "full");
    }
}

void cpu_sample(const char *root, struct cpu_counters *counters, struct status *out) {
    char text[1024] = "";
    if (kernel_text(text, sizeof text, root, "/proc/uptime") == 0)
        sample_uptime(text, out);
    if (kernel_text(text, sizeof text, root, "/proc/loadavg") == 0)
        sample_load(text, out);
    if (kernel_text(text, sizeof text, root, "/sys/devices/system/cpu/online") == 0)
        sample_count(text, out);
    /* only its first line is of use: the kernel makes the rest in vain */
    if (kernel_text(text, sizeof text, root, "/proc/stat") == 0)
        sample_use(text, counters, out);
    else
        counters->known = false;
    sample_pressure(root, out);
}
