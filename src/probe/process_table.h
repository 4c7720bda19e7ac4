/* All processes of the machine with what they use of its processors and memory, read as cheaply as that can be. */
#ifndef SALLYPORT_PROBE_PROCESS_TABLE_H
#define SALLYPORT_PROBE_PROCESS_TABLE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* More processes than that are not looked at. */
#define PROCESS_TABLE_MAX 65536
#define PROCESS_COMM_SIZE 64

/* proc_pid_stat(5) */
struct process_stat {
    char comm[PROCESS_COMM_SIZE]; /* as the kernel has it: may hold anything; cut off when longer */
    pid_t parent;
    bool is_kernel;  /* a thread of the kernel's own */
    bool is_over;    /* a zombie: it has ended, and nobody has taken note of it */
    uint64_t ticks;  /* of processor time */
    uint64_t start;  /* ticks after boot: with its number it stands for this process and no other */
    uint64_t memory; /* pages that are resident */
};

struct process_entry {
    pid_t pid;
    bool is_kernel;
    uint64_t start, ticks, at_ms; /* at_ms: when ticks was read */
    uint64_t memory_bytes;
    double cpu_used_share; /* of one processor, between the last two looks; NAN after the first */
};

struct process_table {
    DIR *proc;
    struct process_entry *items; /* owned, sorted by pid */
    size_t count, cap;
    long ticks_per_s, page_bytes;
};

/* False for what is no such line. */
bool process_stat_parse(const char *text, size_t len, struct process_stat *out);

/* 0 or SP_ESYS: there is no /proc. */
int process_table_init(struct process_table *table, const char *root);
void process_table_fini(struct process_table *table);

/* Reads them all anew; those that are gone are forgotten. 0, or SP_ENOMEM: then it is as it was. */
int process_table_scan(struct process_table *table, uint64_t now_ms);
/* One process as of now, and its entry renewed when it is in the table. False: there is no such process (any more). */
bool process_table_look(struct process_table *table, pid_t pid, uint64_t now_ms, struct process_stat *stat,
                        struct process_entry *entry);

/* The descriptor of /proc, for what else is there to know of a process. */
int process_table_dir(const struct process_table *table);

#endif
