#include "metrics.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "sallyport/base/os.h"

void metrics_begin(struct metrics *metrics, const char *name, enum metric_type type, const char *help) {
    if (!metrics->rc)
        metrics->rc = buf_printf(metrics->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
                                 type == METRIC_COUNTER ? "counter" : "gauge");
}

static int add_label(struct buf *out, const struct metric_label *label, char before) {
    int rc = buf_printf(out, "%c%s=\"", before, label->name);
    for (const char *at = label->value; *at && !rc; at++) {
        if (*at == '\n')
            rc = buf_append(out, "\\n", 2);
        else if (*at == '"' || *at == '\\')
            rc = buf_printf(out, "\\%c", *at);
        else
            rc = buf_append(out, at, 1);
    }
    return rc ? rc : buf_append(out, "\"", 1);
}

void metrics_add(struct metrics *metrics, const char *name, const struct metric_label *labels, double value) {
    if (isnan(value))
        return;
    if (!metrics->rc)
        metrics->rc = buf_printf(metrics->out, "%s", name);
    for (size_t i = 0; labels && labels[i].name && !metrics->rc; i++)
        metrics->rc = add_label(metrics->out, &labels[i], i == 0 ? '{' : ',');
    if (!metrics->rc) /* 15 digits: bytes stay exact up to a petabyte */
        metrics->rc = buf_printf(metrics->out, "%s %.15g\n", labels ? "}" : "", value);
}

void metrics_one(struct metrics *metrics, const char *name, enum metric_type type, const char *help, double value) {
    if (isnan(value))
        return;
    metrics_begin(metrics, name, type, help);
    metrics_add(metrics, name, NULL, value);
}

static double cpu_seconds(void) {
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used))
        return NAN;
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* The second number there is in pages. Where /proc is hidden, it is not known. */
static double resident_bytes(void) {
    struct buf text;
    double bytes = NAN;
    buf_init(&text);
    if (os_read_file("/proc/self/statm", 256, &text) == 0) {
        const char *line = buf_string(&text), *second = line ? strchr(line, ' ') : NULL;
        if (second)
            bytes = (double)strtoul(second, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
    }
    buf_fini(&text);
    return bytes;
}

static double open_descriptors(void) {
    double count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return NAN;
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count - 1; /* one of them was the folder's own */
}

static double most_descriptors(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) ? NAN : (double)limit.rlim_cur;
}

void metrics_process(struct metrics *metrics, int64_t started) {
    metrics_one(metrics, "process_cpu_seconds_total", METRIC_COUNTER, "Processor time used, user and system.",
                cpu_seconds());
    metrics_one(metrics, "process_resident_memory_bytes", METRIC_GAUGE, "Resident memory.", resident_bytes());
    metrics_one(metrics, "process_open_fds", METRIC_GAUGE, "Open file descriptors.", open_descriptors());
    metrics_one(metrics, "process_max_fds", METRIC_GAUGE, "How many file descriptors may be open.", most_descriptors());
    metrics_one(metrics, "process_start_time_seconds", METRIC_GAUGE, "When it was started, seconds since 1970 in UTC.",
                (double)started);
}
