/* The members of a status, declared once: reading, writing and /metrics follow from these tables. */
#include "sallyport/domain/status.h"

#define MEMBER(type, member, as, size, is_private) \
    { #member, as, offsetof(struct type, member), size, is_private }
#define INTEGER(type, member) MEMBER(type, member, STATUS_INTEGER, 0, false)
#define REAL(type, member) MEMBER(type, member, STATUS_REAL, 0, false)
#define SHARE(type, member) MEMBER(type, member, STATUS_SHARE, 0, false)
#define FLAG(type, member) MEMBER(type, member, STATUS_FLAG, 0, false)
#define BITS(type, member) MEMBER(type, member, STATUS_BITS, 0, false)
#define TIME(type, member) MEMBER(type, member, STATUS_TIME, 0, false)
#define TEXT(type, member) MEMBER(type, member, STATUS_TEXT, sizeof(((struct type *)0)->member), false)
#define PRIVATE(type, member) MEMBER(type, member, STATUS_TEXT, sizeof(((struct type *)0)->member), true)
#define LIST(list, one, key, max) \
    { \
#        list, one##_members, key, sizeof(struct one), max, offsetof(struct status, list), \
            offsetof(struct status, one##_count) \
    }

const struct status_member status_members[] = {
    INTEGER(status, uptime_s),
    REAL(status, load_1m),
    REAL(status, load_5m),
    REAL(status, load_15m),
    INTEGER(status, cpu_count),
    SHARE(status, cpu_used_share),
    REAL(status, cpu_temperature_celsius),
    SHARE(status, cpu_pressure_share),
    SHARE(status, memory_pressure_share),
    SHARE(status, memory_pressure_full_share),
    SHARE(status, io_pressure_share),
    SHARE(status, io_pressure_full_share),
    INTEGER(status, memory_total_bytes),
    INTEGER(status, memory_used_bytes),
    INTEGER(status, swap_total_bytes),
    INTEGER(status, swap_used_bytes),
    REAL(status, received_bytes_per_second),
    REAL(status, sent_bytes_per_second),
    REAL(status, power_watts),
    TEXT(status, power_state),
    {NULL, STATUS_INTEGER, 0, 0, false},
};

static const struct status_member filesystem_members[] = {
    TEXT(filesystem, mount),
    TEXT(filesystem, type),
    INTEGER(filesystem, total_bytes),
    INTEGER(filesystem, used_bytes),
    INTEGER(filesystem, available_bytes),
    INTEGER(filesystem, inodes_total),
    INTEGER(filesystem, inodes_used),
    INTEGER(filesystem, full_in_s),
    {NULL, STATUS_INTEGER, 0, 0, false},
};

static const struct status_member disk_members[] = {
    TEXT(disk, name),
    TEXT(disk, model),
    TEXT(disk, health),
    REAL(disk, temperature_celsius),
    REAL(disk, wear_share),
    INTEGER(disk, powered_on_s),
    INTEGER(disk, reallocated_count),
    INTEGER(disk, error_count),
    {NULL, STATUS_INTEGER, 0, 0, false},
};

static const struct status_member sensor_members[] = {
    TEXT(sensor, name),
    REAL(sensor, temperature_celsius),
    INTEGER(sensor, fan_rpm),
    {NULL, STATUS_INTEGER, 0, 0, false},
};

static const struct status_member network_members[] = {
    TEXT(network, name),
    REAL(network, received_bytes_per_second),
    REAL(network, sent_bytes_per_second),
    {NULL, STATUS_INTEGER, 0, 0, false},
};

static const struct status_member gpu_members[] = {
    TEXT(gpu, id),
    INTEGER(gpu, index),
    TEXT(gpu, name),
    TEXT(gpu, driver),
    TEXT(gpu, state),
    SHARE(gpu, used_share),
    INTEGER(gpu, memory_total_bytes),
    INTEGER(gpu, memory_used_bytes),
    FLAG(gpu, memory_shared),
    REAL(gpu, temperature_celsius),
    SHARE(gpu, fan_share),
    REAL(gpu, power_watts),
    REAL(gpu, power_limit_watts),
    REAL(gpu, clock_hz),
    REAL(gpu, clock_max_hz),
    REAL(gpu, memory_clock_hz),
    TEXT(gpu, throttle),
    INTEGER(gpu, pcie_width),
    INTEGER(gpu, pcie_width_max),
    INTEGER(gpu, pcie_generation),
    INTEGER(gpu, pcie_generation_max),
    INTEGER(gpu, nvlink_count),
    INTEGER(gpu, nvlink_active_count),
    INTEGER(gpu, ecc_corrected_count),
    INTEGER(gpu, ecc_uncorrected_count),
    INTEGER(gpu, xid_count),
    INTEGER(gpu, xid_last),
    INTEGER(gpu, energy_joules),
    FLAG(gpu, partitioned),
    {NULL, STATUS_INTEGER, 0, 0, false},
};

static const struct status_member process_members[] = {
    INTEGER(process, pid),
    BITS(process, gpus),
    TEXT(process, user),
    TEXT(process, person),
    PRIVATE(process, command),
    INTEGER(process, gpu_memory_used_bytes),
    INTEGER(process, memory_used_bytes),
    SHARE(process, cpu_used_share),
    SHARE(process, gpu_used_share),
    TIME(process, started),
    PRIVATE(process, container),
    PRIVATE(process, notebook),
    FLAG(process, ended),
    {NULL, STATUS_INTEGER, 0, 0, false},
};

const struct status_list status_lists[] = {
    LIST(filesystems, filesystem, "mount", STATUS_FILESYSTEMS_MAX),
    LIST(disks, disk, "name", STATUS_DISKS_MAX),
    LIST(sensors, sensor, "name", STATUS_SENSORS_MAX),
    LIST(networks, network, "name", STATUS_NETWORKS_MAX),
    LIST(gpus, gpu, "id", STATUS_GPUS_MAX),
    LIST(processes, process, "pid", STATUS_PROCESSES_MAX),
    {NULL, NULL, NULL, 0, 0, 0, 0},
};
