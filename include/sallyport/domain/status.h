/* The state of a machine as its agent measured it (docs/PROTOCOL.md section 4). */
#ifndef SALLYPORT_DOMAIN_STATUS_H
#define SALLYPORT_DOMAIN_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

/* Longer lists are cut off here. */
#define STATUS_FILESYSTEMS_MAX 64
#define STATUS_DISKS_MAX 32
#define STATUS_SENSORS_MAX 64
#define STATUS_NETWORKS_MAX 32
#define STATUS_GPUS_MAX 16
#define STATUS_PROCESSES_MAX 64

/* In everything below: integers that are not known are STATUS_UNKNOWN, reals NAN, texts "". Shares are 0..1, of one
 * whole: a process that keeps two of four processors busy has 0.5. */
#define STATUS_UNKNOWN (-1)

struct filesystem {
    char mount[256];
    char type[32];
    int64_t total_bytes, used_bytes, available_bytes;
    int64_t inodes_total, inodes_used;
    int64_t full_in_s; /* when it goes on as in the last hours; not known when it does not fill up */
};

/* A disk by what it says of its own health (SMART). */
struct disk {
    char name[64]; /* "nvme0n1" */
    char model[64];
    char health[16]; /* "passed" or "failing" */
    double temperature_celsius;
    double wear_share; /* of the writing that it was made for: may be over 1 */
    int64_t powered_on_s;
    int64_t reallocated_count; /* sectors that had to be replaced */
    int64_t error_count;       /* media errors that could not be corrected */
};

/* One of hwmon: a temperature or a fan. */
struct sensor {
    char name[96]; /* "k10temp Tctl" */
    double temperature_celsius;
    int64_t fan_rpm;
};

struct network {
    char name[32];
    double received_bytes_per_second, sent_bytes_per_second;
};

/* A GPU. `id` stays the same over restarts where the driver has such a name, and is never empty. */
struct gpu {
    char id[64];   /* "GPU-8a1f..." , "pci-0000:03:00.0" */
    int64_t index; /* as nvidia-smi counts, from 0, then other makers' ones; always known */
    char name[96];
    char driver[48];   /* "550.54.14", "amdgpu" */
    char state[16];    /* "ok"; "asleep"; "lost": it fell off its bus; "hanging": the driver does not answer */
    double used_share; /* part of the last second in which something ran on it */
    int64_t memory_total_bytes, memory_used_bytes;
    bool memory_shared; /* it uses the machine's memory: the two above are that */
    double temperature_celsius;
    double fan_share;
    double power_watts, power_limit_watts;
    double clock_hz, clock_max_hz, memory_clock_hz;
    char throttle[96]; /* why it runs slower than it could, words with blanks between: "power", "thermal", "hardware",
                          "brake" */
    int64_t pcie_width, pcie_width_max, pcie_generation, pcie_generation_max;
    int64_t nvlink_count, nvlink_active_count;
    int64_t ecc_corrected_count, ecc_uncorrected_count; /* since the driver was loaded */
    int64_t xid_count, xid_last;                        /* errors since the agent started; the last one's number */
    int64_t energy_joules;                              /* since the driver was loaded */
    bool partitioned;                                   /* MIG: it is shared out to several users */
};

/* A program that uses a GPU, or much of the processors or the memory. */
struct process {
    int64_t pid;       /* always known */
    uint32_t gpus;     /* bit i: it is on the GPU with index i */
    char user[64];     /* its account on the machine */
    char person[64];   /* the Sallyport user behind that account; "": the account's name says it */
    char command[192]; /* cut off, without what looks like a secret */
    int64_t gpu_memory_used_bytes;
    int64_t memory_used_bytes;
    double cpu_used_share;
    double gpu_used_share;
    int64_t started;    /* UTC seconds */
    char container[80]; /* its name, else the first 12 figures of its id */
    char notebook[192]; /* path of the notebook whose kernel it is */
    bool ended;         /* it was on a GPU and is gone since the last status */
};

struct status {
    int64_t uptime_s;
    double load_1m, load_5m, load_15m;
    int64_t cpu_count;
    double cpu_used_share;
    double cpu_temperature_celsius;
    /* PSI: the part of the last minute in which somebody (full: everybody) waited for it. */
    double cpu_pressure_share, memory_pressure_share, memory_pressure_full_share, io_pressure_share,
        io_pressure_full_share;
    int64_t memory_total_bytes;
    int64_t memory_used_bytes; /* total minus available */
    int64_t swap_total_bytes, swap_used_bytes;
    double received_bytes_per_second, sent_bytes_per_second; /* all real networks together */
    double power_watts;                                      /* the whole machine, or what of it can be read */
    char power_state[16];                                    /* "awake"; "sleeping": it is going to sleep now */
    struct filesystem *filesystems;                          /* this and the other lists: owned, from malloc */
    size_t filesystem_count;
    struct disk *disks;
    size_t disk_count;
    struct sensor *sensors;
    size_t sensor_count;
    struct network *networks;
    size_t network_count;
    struct gpu *gpus; /* by index */
    size_t gpu_count;
    struct process *processes; /* those on GPUs first */
    size_t process_count;
};

/* What the tables of members say, for those who go through all of them: reading, writing, metrics, history. */
enum status_type {
    STATUS_INTEGER, /* int64_t */
    STATUS_REAL,    /* double */
    STATUS_SHARE,   /* double, 0..1 */
    STATUS_TEXT,    /* char[] */
    STATUS_FLAG,    /* bool */
    STATUS_BITS,    /* uint32_t, in JSON the numbers of the bits */
    STATUS_TIME,    /* int64_t, UTC seconds */
};
struct status_member {
    const char *name; /* in JSON; its unit at its end. NULL ends a table */
    enum status_type type;
    size_t offset, size; /* size: of a text with its terminator */
    bool is_private;     /* not for everybody who may see the machine: STATUS_DISCREET */
};
struct status_list {
    const char *name; /* "filesystems"; NULL ends the table */
    const struct status_member *members;
    const char *key; /* the member without which an item does not count */
    size_t item_size, max;
    size_t items_offset, count_offset; /* within struct status */
};
extern const struct status_member status_members[];
extern const struct status_list status_lists[];

/* The number at that place in `base`, a struct status or an item of a list; NAN when not known. Flags are 0 or 1, times
 * UTC seconds; texts and bits have none. */
double status_number(const void *base, const struct status_member *member);

/* Whose it is: the Sallyport user behind its account, else the account. */
const char *process_owner(const struct process *process);
/* Does it run, on the GPU with that index? */
bool process_is_on(const struct process *process, int64_t gpu);

/* Nothing is known. */
void status_init(struct status *status);
/* Frees; nothing is known afterwards. */
void status_fini(struct status *status);
/* No member is known. */
bool status_is_empty(const struct status *status);

/* Room for one more item at the end of the list of that name ("gpus"), with nothing known in it; NULL when the list is full
 * or memory is short. Valid until the next call for this list. */
void *status_add(struct status *status, const char *name);
/* Makes `out`, which is overwritten, a copy. SP_ENOMEM: nothing was written. */
int status_copy(const struct status *status, struct status *out);

/* How much of a status is told: bits. */
enum {
    STATUS_ALL = 0,
    STATUS_SHORT = 1 << 0,    /* for a list of machines: no disks, sensors, networks; processes on GPUs only */
    STATUS_DISCREET = 1 << 1, /* for those who may not log in there: whose process it is, but not what it does */
};

/* A new jansson object with the known members (the caller's), or NULL when out of memory. What is no clean UTF-8 is left
 * out. */
struct json_t *status_to_json(const struct status *status, unsigned extent);
/* Reads the members of a jansson object into `out`, which is overwritten. A member of a wrong type, negative, beyond
 * reason or with control characters counts as not known; an item without its key, or with that of an earlier one, is
 * left out, and so is what is over a list's bound. SP_ENOMEM. */
int status_from_json(const struct json_t *object, struct status *out);

#endif
