#include "memory.h"

#include <math.h>
#include <string.h>

#include "kernel_file.h"

/* "MemTotal:       65807144 kB" */
static int64_t meminfo_bytes(const char *text, const char *key) {
    size_t len = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, len) != 0 || line[len] != ':')
            continue;
        const char *at = line + len + 1;
        at += strspn(at, " ");
        double kib = kernel_decimal(&at);
        return isnan(kib) || strncmp(at, "kB", 2) != 0 ? STATUS_UNKNOWN : (int64_t)kib * 1024;
    }
    return STATUS_UNKNOWN;
}

static int64_t difference(int64_t total, int64_t left) {
    return total == STATUS_UNKNOWN || left == STATUS_UNKNOWN || left > total ? STATUS_UNKNOWN : total - left;
}

void memory_sample(const char *root, struct status *out) {
    char text[KERNEL_TEXT_SIZE];
    if (kernel_text(text, sizeof text, root, "/proc/meminfo") != 0)
        return;
    out->memory_total_bytes = meminfo_bytes(text, "MemTotal");
    out->memory_used_bytes = difference(out->memory_total_bytes, meminfo_bytes(text, "MemAvailable"));
    out->swap_total_bytes = meminfo_bytes(text, "SwapTotal");
    out->swap_used_bytes = difference(out->swap_total_bytes, meminfo_bytes(text, "SwapFree"));
}
