#include "sallyport/probe/system.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filesystems.h"
#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"
#include "sallyport/base/log.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

/* Files of the kernel that are read here are short. */
#define TEXT_SIZE 8192

/* The whole of a small file, terminated, without a newline at the end. */
static int read_text(const char *root, const char *leaf, char to[static TEXT_SIZE]) {
    char path[512];
    struct buf content;
    buf_init(&content);
    int n = snprintf(path, sizeof path, "%s%s", root, leaf);
    int rc = n < 0 || (size_t)n >= sizeof path ? SP_ETOOBIG : os_read_file(path, TEXT_SIZE - 1, &content);
    if (rc == 0) {
        size_t len = buf_len(&content);
        if (len > 0)
            memcpy(to, buf_head(&content), len);
        to[len] = '\0';
        if (len > 0 && to[len - 1] == '\n')
            to[len - 1] = '\0';
    }
    buf_fini(&content);
    return rc;
}

/* A number with a decimal point and moves on behind it; NAN when there is none. The kernel writes no locale. */
static double take_decimal(const char **at) {
    size_t digits = strspn(*at, "0123456789");
    if (digits == 0 || digits > 12)
        return NAN;
    double value = 0, scale = 1;
    const char *p = *at;
    for (; *p >= '0' && *p <= '9'; p++)
        value = value * 10 + (*p - '0');
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++)
            value += (*p - '0') * (scale /= 10);
    *at = p + strspn(p, " ");
    return value;
}

static void sample_uptime(const char *text, struct status *out) {
    double seconds = take_decimal(&text);
    if (!isnan(seconds))
        out->uptime_s = (int64_t)seconds;
}

static void sample_load(const char *text, struct status *out) {
    out->load_1m = take_decimal(&text);
    out->load_5m = take_decimal(&text);
    out->load_15m = take_decimal(&text);
}

/* "MemTotal:       65807144 kB" */
static int64_t meminfo_bytes(const char *text, const char *key) {
    size_t len = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, len) != 0 || line[len] != ':')
            continue;
        const char *at = line + len + 1;
        at += strspn(at, " ");
        double kib = take_decimal(&at);
        return isnan(kib) || strncmp(at, "kB", 2) != 0 ? STATUS_UNKNOWN : (int64_t)kib * 1024;
    }
    return STATUS_UNKNOWN;
}

static int64_t difference(int64_t total, int64_t left) {
    return total == STATUS_UNKNOWN || left == STATUS_UNKNOWN || left > total ? STATUS_UNKNOWN : total - left;
}

static void sample_memory(const char *text, struct status *out) {
    out->memory_total_bytes = meminfo_bytes(text, "MemTotal");
    out->memory_used_bytes = difference(out->memory_total_bytes, meminfo_bytes(text, "MemAvailable"));
    out->swap_total_bytes = meminfo_bytes(text, "SwapTotal");
    out->swap_used_bytes = difference(out->swap_total_bytes, meminfo_bytes(text, "SwapFree"));
}

/* "0-15,32-47": how many there are. */
static void sample_cpus(char *text, struct status *out) {
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

int system_sample(const char *root, struct status *out) {
    char text[TEXT_SIZE] = "";
    status_init(out);
    if (read_text(root, "/proc/uptime", text) == 0)
        sample_uptime(text, out);
    if (read_text(root, "/proc/loadavg", text) == 0)
        sample_load(text, out);
    if (read_text(root, "/proc/meminfo", text) == 0)
        sample_memory(text, out);
    if (read_text(root, "/sys/devices/system/cpu/online", text) == 0)
        sample_cpus(text, out);
    int rc = filesystems_sample(root, out);
    if (rc == SP_ENOMEM)
        return rc;
    if (rc != 0)
        log_debug("system: cannot read the list of mounts: %s", err_text(rc));
    return 0;
}

int system_boot_id(const char *root, char to[static SYSTEM_BOOT_ID_SIZE]) {
    char text[TEXT_SIZE] = "";
    int rc = read_text(root, "/proc/sys/kernel/random/boot_id", text);
    if (rc != 0)
        return rc;
    if (strlen(text) != SYSTEM_BOOT_ID_SIZE - 1 || text[strspn(text, "0123456789abcdef-")] != '\0')
        return SP_EFORMAT;
    return str_copy(to, SYSTEM_BOOT_ID_SIZE, text);
}

int system_hostname(const char *root, char *to, size_t size) {
    char text[TEXT_SIZE] = "";
    int rc = read_text(root, "/proc/sys/kernel/hostname", text);
    if (rc != 0)
        return rc;
    if (text[0] == '\0' || !str_is_clean(text, strlen(text)))
        return SP_EFORMAT;
    return str_copy(to, size, text);
}
