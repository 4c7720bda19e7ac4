/* Processes as /proc shows them: name, parent, owner, open sockets. */
#ifndef SALLYPORT_PROBE_PROCESS_H
#define SALLYPORT_PROBE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The kernel's name of a process: 15 characters at most. */
#define PROCESS_NAME_SIZE 16

/* Calls `each` for every process until it returns false. 0, or SP_ESYS when /proc cannot be read. */
int process_each(const char *root, bool (*each)(void *ctx, pid_t pid), void *ctx);

/* These answer false, or 0, for a process that is gone or may not be looked at. */
bool process_name(const char *root, pid_t pid, char to[static PROCESS_NAME_SIZE]);
pid_t process_parent(const char *root, pid_t pid);
/* Its arguments with blanks between, cut off to size. */
bool process_command(const char *root, pid_t pid, char *to, size_t size);
bool process_exists(const char *root, pid_t pid);

/* Calls `each` with the inode of every socket that the process has open, until it returns false. */
void process_each_socket(const char *root, pid_t pid, bool (*each)(void *ctx, uint64_t inode), void *ctx);

/* The name of a process that has this socket open; the first that is found. False when none is, or we may not look. */
bool process_of_socket(const char *root, uint64_t inode, char to[static PROCESS_NAME_SIZE]);

#endif
