/* In which container a process runs, by the control groups that it is in. */
#ifndef SALLYPORT_PROBE_CGROUP_H
#define SALLYPORT_PROBE_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

#define CONTAINER_ID_SIZE 65

/* Reads the text of /proc/PID/cgroup, version 1 or 2 (cgroups(7)). The id of the container, 64 figures in hex: of Docker,
 * Podman, containerd, CRI-O; of a container within another the outer one, which is the one that this machine knows. False
 * when there is none, and for a container's monitor (conmon), which runs outside of it. */
bool cgroup_container(const char *text, size_t len, char to[static CONTAINER_ID_SIZE]);

#endif
