#include "process_details.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "redact.h"
#include "sallyport/base/err.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

/* Enough for every process that is told: those not wanted for longest make room. */
#define KNOWN_MAX (2 * STATUS_PROCESSES_MAX)
/* A process may become another program, or another user's. */
#define AGAIN_MS (60 * 1000U)
#define CMDLINE_SIZE 4096
/* One line for each hierarchy of version 1. */
#define CGROUP_SIZE 8192
/* A kernel starts programs that start programs. */
#define PARENTS_MAX 8

struct process_details {
    char *root;
    struct process_detail *items[KNOWN_MAX]; /* each owned */
    size_t count;
};

/* The beginning of a file of the process's; how many bytes, 0 for none. */
static size_t read_file(const struct process_table *table, pid_t pid, const char *leaf, char *to, size_t size) {
    char path[48];
    size_t len = 0;
    (void)snprintf(path, sizeof path, "%ld/%s", (long)pid, leaf);
    int fd = openat(process_table_dir(table), path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    for (ssize_t n = 1; n > 0 && len<size; len += n> 0 ? (size_t)n : 0)
        n = read(fd, to + len, size - len);
    (void)close(fd);
    return len;
}

static bool is_uuid(const char *text) {
    for (int i = 0; i < KERNEL_ID_SIZE - 1; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text[i] != '-' : text[i] == '\0' || strchr("0123456789abcdef", text[i]) == NULL)
            return false;
    }
    return true;
}

bool process_kernel_id(const char *args, size_t len, char to[static KERNEL_ID_SIZE]) {
    static const char before[] = "kernel-", after[] = ".json";
    const size_t uuid = KERNEL_ID_SIZE - 1, whole = sizeof before - 1 + uuid + sizeof after - 1;
    const char *end = args + len;
    for (const char *at = args; (at = memmem(at, (size_t)(end - at), before, sizeof before - 1)) != NULL; at++) {
        if ((size_t)(end - at) < whole)
            return false;
        const char *id = at + sizeof before - 1;
        if (!is_uuid(id) || memcmp(id + uuid, after, sizeof after - 1) != 0)
            continue;
        memcpy(to, id, uuid);
        to[uuid] = '\0';
        return true;
    }
    return false;
}

/* What a kernel forks keeps its arguments, what it starts has it for a parent. */
static void find_kernel(struct process_table *table, pid_t parent, uint64_t now_ms, struct process_detail *detail) {
    char args[CMDLINE_SIZE];
    for (int i = 0; i < PARENTS_MAX && parent > 1; i++) {
        struct process_stat stat;
        struct process_entry entry;
        size_t len = read_file(table, parent, "cmdline", args, sizeof args);
        if (process_kernel_id(args, len, detail->kernel) || !process_table_look(table, parent, now_ms, &stat, &entry))
            return;
        parent = stat.parent;
    }
}

static void read_command(struct process_table *table, const struct process_stat *stat, uint64_t now_ms,
                         struct process_detail *detail) {
    char args[CMDLINE_SIZE];
    size_t len = stat->is_kernel ? 0 : read_file(table, detail->pid, "cmdline", args, sizeof args);
    if (len == sizeof args) {
        /* what was cut off might be the half of a secret, which nobody would know as one */
        const char *last = memrchr(args, '\0', len);
        const char *blank = memrchr(args, ' ', len);
        if (blank > last)
            last = blank;
        if (last != NULL)
            len = (size_t)(last - args);
    }
    redact_command(args, len, detail->command, sizeof detail->command);
    if (detail->command[0] ==
        '\0') { /* the kernel's own, and those that wiped their arguments: by their name, as ps does */
        char name[PROCESS_COMM_SIZE];
        redact_command(stat->comm, strlen(stat->comm), name, sizeof name);
        (void)snprintf(detail->command, sizeof detail->command, "[%s]", name);
    }
    if (!process_kernel_id(args, len, detail->kernel) && !stat->is_kernel)
        find_kernel(table, stat->parent, now_ms, detail);
}

static void read_detail(const struct process_details *details, struct process_table *table,
                        const struct process_stat *stat, uint64_t now_ms, struct process_detail *detail) {
    char name[16], cgroup[CGROUP_SIZE];
    struct stat info;
    int64_t boot = os_realtime_s() - (int64_t)(os_boottime_ms() / 1000);
    int64_t started = boot + (int64_t)(stat->start / (uint64_t)table->ticks_per_s);
    detail->kernel[0] = detail->container[0] = detail->user[0] = '\0';
    memcpy(detail->comm, stat->comm, sizeof detail->comm);
    /* both clocks are read in whole seconds: no new time for that */
    if (llabs(started - detail->started) > 2)
        detail->started = started;
    (void)snprintf(name, sizeof name, "%ld", (long)detail->pid);
    if (fstatat(process_table_dir(table), name, &info, 0) == 0)
        account_name(details->root, info.st_uid, detail->user);
    size_t len = read_file(table, detail->pid, "cgroup", cgroup, sizeof cgroup);
    (void)cgroup_container(cgroup, len, detail->container);
    read_command(table, stat, now_ms, detail);
    detail->read_at = now_ms;
}

/* The place of that process; another's, whose details are of no use to it, or NULL when out of memory. */
static struct process_detail *find_place(struct process_details *details, pid_t pid) {
    struct process_detail *oldest = NULL;
    for (size_t i = 0; i < details->count; i++) {
        struct process_detail *one = details->items[i];
        if (one->pid == pid)
            return one;
        if (oldest == NULL || one->wanted_at < oldest->wanted_at)
            oldest = one;
    }
    if (details->count == KNOWN_MAX)
        return oldest;
    struct process_detail *fresh = calloc(1, sizeof *fresh);
    if (fresh != NULL)
        details->items[details->count++] = fresh;
    return fresh;
}

const struct process_detail *process_details_get(struct process_details *details, struct process_table *table,
                                                 pid_t pid, const struct process_stat *stat, uint64_t now_ms) {
    struct process_detail *detail = find_place(details, pid);
    if (detail == NULL)
        return NULL;
    if (detail->pid != pid || detail->start != stat->start)
        *detail = (struct process_detail){.pid = pid, .start = stat->start};
    if (detail->read_at == 0 || now_ms - detail->read_at >= AGAIN_MS ||
        memcmp(detail->comm, stat->comm, sizeof detail->comm) != 0)
        read_detail(details, table, stat, now_ms, detail);
    detail->wanted_at = now_ms;
    return detail;
}

int process_details_new(const char *root, struct process_details **out) {
    struct process_details *details = calloc(1, sizeof *details);
    if (details == NULL)
        return SP_ENOMEM;
    details->root = strdup(root);
    if (details->root == NULL) {
        free(details);
        return SP_ENOMEM;
    }
    *out = details;
    return 0;
}

void process_details_free(struct process_details *details) {
    if (details == NULL)
        return;
    for (size_t i = 0; i < details->count; i++)
        free(details->items[i]);
    free(details->root);
    free(details);
}
