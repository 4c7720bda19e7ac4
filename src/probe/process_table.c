#include "process_table.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

#define STAT_SIZE 512
#define PAGES_MAX (INT64_MAX >> 20) /* its bytes are a number, still */
#define KERNEL_THREAD 0x00200000    /* PF_KTHREAD */

/* Digits and the blank behind them; false when there is none, or the number is negative. */
static bool take_number(const char **at, uint64_t *out) {
    uint64_t value = 0;
    const char *p = *at;
    while (*p >= '0' && *p <= '9')
        value = value * 10 + (uint64_t)(*p++ - '0');
    if (p == *at || p - *at > 19)
        return false;
    *out = value;
    *at = p + (*p == ' ');
    return true;
}

static bool skip_words(const char **at, int count) {
    for (int i = 0; i < count; i++) {
        const char *blank = strchr(*at, ' ');
        if (blank == NULL)
            return false;
        *at = blank + 1;
    }
    return true;
}

/* PID (COMM) STATE PPID pgrp session tty tpgid FLAGS minflt cminflt majflt cmajflt UTIME STIME cutime cstime priority nice
 * threads itrealvalue STARTTIME vsize RSS ...; COMM may hold brackets and blanks, the rest does not. */
bool process_stat_parse(const char *text, size_t len, struct process_stat *out) {
    char line[STAT_SIZE];
    struct process_stat stat = {.comm = ""};
    uint64_t parent, flags, user, system;
    if (len == 0 || len >= sizeof line)
        return false;
    memcpy(line, text, len);
    line[len] = '\0';
    const char *open = strchr(line, '('), *close = strrchr(line, ')');
    if (open == NULL || close == NULL || close < open || close[1] != ' ' || close[2] == '\0' || close[3] != ' ')
        return false;
    size_t comm = (size_t)(close - open - 1);
    memcpy(stat.comm, open + 1, comm < sizeof stat.comm ? comm : sizeof stat.comm - 1);
    stat.is_over = close[2] == 'Z' || close[2] == 'X';
    const char *at = close + 4;
    if (!take_number(&at, &parent) || !skip_words(&at, 4) || !take_number(&at, &flags) || !skip_words(&at, 4) ||
        !take_number(&at, &user) || !take_number(&at, &system) || !skip_words(&at, 6) ||
        !take_number(&at, &stat.start) || !skip_words(&at, 1) || !take_number(&at, &stat.memory) ||
        stat.memory > PAGES_MAX)
        return false;
    stat.parent = parent <= INT32_MAX ? (pid_t)parent : 0;
    stat.is_kernel = (flags & KERNEL_THREAD) != 0;
    stat.ticks = user + system;
    *out = stat;
    return true;
}

static bool read_stat(const struct process_table *table, const char *pid, struct process_stat *out) {
    char path[32], text[STAT_SIZE];
    if (strlen(pid) + sizeof "/stat" > sizeof path)
        return false;
    memcpy(stpcpy(path, pid), "/stat", sizeof "/stat"); /* for each of hundreds: without printf */
    int fd = openat(dirfd(table->proc), path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    /* the end of a line that was longer has nothing that is wanted, but a whole word must be left */
    return n > 0 && process_stat_parse(text, (size_t)n, out);
}

/* What follows from two looks at one process. */
static void renew(const struct process_table *table, const struct process_stat *stat, uint64_t now_ms,
                  struct process_entry *entry) {
    if (entry->start != stat->start) {
        *entry = (struct process_entry){.pid = entry->pid, .start = stat->start, .cpu_used_share = NAN};
    } else if (now_ms > entry->at_ms) {
        double seconds = (double)(now_ms - entry->at_ms) / 1000;
        entry->cpu_used_share = stat->ticks < entry->ticks
                                    ? NAN
                                    : (double)(stat->ticks - entry->ticks) / (double)table->ticks_per_s / seconds;
    }
    entry->is_kernel = stat->is_kernel;
    entry->ticks = stat->ticks;
    entry->at_ms = now_ms;
    entry->memory_bytes = stat->memory * (uint64_t)table->page_bytes;
}

static int compare_entries(const void *a, const void *b) {
    const struct process_entry *one = a, *other = b;
    return (one->pid > other->pid) - (one->pid < other->pid);
}

static struct process_entry *find(const struct process_table *table, pid_t pid) {
    struct process_entry key = {.pid = pid};
    if (table->count == 0)
        return NULL;
    return bsearch(&key, table->items, table->count, sizeof key, compare_entries);
}

/* Room for one more at the end. */
static struct process_entry *add(struct process_table *table) {
    if (table->count == table->cap) {
        size_t cap = table->cap == 0 ? 256 : table->cap * 2;
        struct process_entry *items = reallocarray(table->items, cap, sizeof *items);
        if (items == NULL)
            return NULL;
        table->items = items;
        table->cap = cap;
    }
    return &table->items[table->count++];
}

int process_table_scan(struct process_table *table, uint64_t now_ms) {
    struct process_table next = {.proc = table->proc};
    bool is_sorted = true;
    rewinddir(table->proc);
    for (const struct dirent *entry = readdir(table->proc); entry != NULL && next.count < PROCESS_TABLE_MAX;
         entry = readdir(table->proc)) {
        uint64_t pid;
        struct process_stat stat;
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || str_u64(entry->d_name, 1, INT32_MAX, &pid) != 0 ||
            !read_stat(table, entry->d_name, &stat) || stat.is_over)
            continue;
        const struct process_entry *old = find(table, (pid_t)pid);
        struct process_entry *place = add(&next);
        if (place == NULL) {
            free(next.items);
            return SP_ENOMEM;
        }
        *place = old != NULL ? *old : (struct process_entry){.pid = (pid_t)pid, .start = ~stat.start};
        renew(table, &stat, now_ms, place);
        is_sorted = is_sorted && (next.count == 1 || place[-1].pid < place->pid);
    }
    if (!is_sorted) /* the kernel's order is that of the numbers, a folder of fixtures has none */
        qsort(next.items, next.count, sizeof *next.items, compare_entries);
    free(table->items);
    table->items = next.items;
    table->count = next.count;
    table->cap = next.cap;
    return 0;
}

bool process_table_look(struct process_table *table, pid_t pid, uint64_t now_ms, struct process_stat *stat,
                        struct process_entry *entry) {
    char name[16];
    (void)snprintf(name, sizeof name, "%ld", (long)pid);
    if (!read_stat(table, name, stat) || stat->is_over)
        return false;
    struct process_entry *known = find(table, pid);
    struct process_entry fresh = {.pid = pid, .start = ~stat->start};
    struct process_entry *place = known != NULL ? known : &fresh;
    if (place->start != stat->start || place->at_ms != now_ms)
        renew(table, stat, now_ms, place);
    *entry = *place;
    return true;
}

int process_table_dir(const struct process_table *table) {
    return dirfd(table->proc);
}

int process_table_init(struct process_table *table, const char *root) {
    char path[512];
    int n = snprintf(path, sizeof path, "%s/proc", root);
    if (n < 0 || (size_t)n >= sizeof path)
        return SP_ESYS;
    DIR *proc = opendir(path);
    if (proc == NULL)
        return SP_ESYS;
    *table =
        (struct process_table){.proc = proc, .ticks_per_s = sysconf(_SC_CLK_TCK), .page_bytes = sysconf(_SC_PAGESIZE)};
    return 0;
}

void process_table_fini(struct process_table *table) {
    if (table->proc != NULL)
        (void)closedir(table->proc);
    free(table->items);
    *table = (struct process_table){.proc = NULL};
}
