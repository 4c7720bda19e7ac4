/* What a process is: whose, since when, with which command, in which container, and for which notebook. */
#ifndef SALLYPORT_PROBE_PROCESS_DETAILS_H
#define SALLYPORT_PROBE_PROCESS_DETAILS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "accounts.h"
#include "cgroup.h"
#include "process_table.h"
#include "sallyport/domain/status.h"

#define KERNEL_ID_SIZE 37

struct process_detail {
    pid_t pid;
    uint64_t start;
    char comm[PROCESS_COMM_SIZE];
    uint64_t read_at, wanted_at;
    int64_t started; /* UTC seconds */
    char user[ACCOUNT_NAME_SIZE];
    char command[sizeof((struct process *)0)->command];
    char container[CONTAINER_ID_SIZE]; /* its id; "": in none */
    char kernel[KERNEL_ID_SIZE];       /* of the Jupyter kernel that it is, or was started by; "": of none */
};

struct process_details;

/* 0 or SP_ENOMEM. */
int process_details_new(const char *root, struct process_details **out);
/* NULL is allowed. */
void process_details_free(struct process_details *details);

/* The details of a process that was just looked at; read when it is another one than before, or a while ago. NULL: out of
 * memory. Valid until the next call. */
const struct process_detail *process_details_get(struct process_details *details, struct process_table *table,
                                                 pid_t pid, const struct process_stat *stat, uint64_t now_ms);

/* The id in the name of a kernel's connection file, kernel-UUID.json, in a command line. False: there is none. */
bool process_kernel_id(const char *args, size_t len, char to[static KERNEL_ID_SIZE]);

#endif
