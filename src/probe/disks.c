#include "disks.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "kernel_file.h"
#include "sallyport/base/err.h"
#include "sallyport/base/log.h"
#include "sallyport/base/str.h"
#include "smart.h"

#define LIST_MS (60 * 1000U)
#define HEALTH_MS (30 * 60 * 1000U)
#define REFUSED_MS (24 * 3600 * 1000U)
/* A disk that is dying answers slowly. */
#define ANSWER_MS (60 * 1000U)
#define ANSWER_MAX (512UL * 1024)

struct known_disk {
    struct disk disk;
    uint64_t ask_at; /* when it is asked next */
};

struct disks {
    struct loop *loop;
    char *root;
    struct known_disk items[STATUS_DISKS_MAX];
    size_t count;
    uint64_t list_at, ask_from; /* when the list is read anew; before ask_from nobody is asked */
    struct command *command;    /* NULL: none is under way */
    char asked[sizeof((struct disk *)0)->name];
    uint64_t now_ms; /* of the last sample */
};

static struct known_disk *find(struct disks *disks, const char *name) {
    for (size_t i = 0; i < disks->count; i++)
        if (strcmp(disks->items[i].disk.name, name) == 0)
            return &disks->items[i];
    return NULL;
}

/* "sda", "nvme0n1"; not the kernel's own, nor those of a virtual machine, nor the hidden paths of an NVMe ("nvme0c0n1"). */
static bool is_disk(const char *root, const char *name) {
    size_t unit = str_starts(name, "nvme") ? strspn(name + 4, "0123456789") : 0;
    if (unit > 0 ? name[4 + unit] != 'n' : !str_starts(name, "sd"))
        return false;
    return kernel_has(root, "/sys/block/%s/device", name);
}

static void read_model(const char *root, struct disk *disk) {
    char text[sizeof disk->model] = "";
    if (kernel_text(text, sizeof text, root, "/sys/block/%s/device/model", disk->name) != 0)
        return;
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == ' ')
        text[--len] = '\0';
    if (str_is_clean(text, len))
        memcpy(disk->model, text, len + 1);
}

static void known_disk_init(struct known_disk *known, const char *root, const char *name) {
    *known = (struct known_disk){.disk = {.temperature_celsius = NAN,
                                          .wear_share = NAN,
                                          .powered_on_s = STATUS_UNKNOWN,
                                          .reallocated_count = STATUS_UNKNOWN,
                                          .error_count = STATUS_UNKNOWN}};
    (void)str_copy(known->disk.name, sizeof known->disk.name, name);
    read_model(root, &known->disk);
}

static void forget_gone(struct disks *disks) {
    size_t left = 0;
    for (size_t i = 0; i < disks->count; i++)
        if (is_disk(disks->root, disks->items[i].disk.name))
            disks->items[left++] = disks->items[i];
    disks->count = left;
}

static int list_disks(struct disks *disks) {
    struct kernel_names names;
    forget_gone(disks);
    int rc = kernel_list(&names, disks->root, "/sys/block");
    if (rc != 0)
        return rc == SP_ENOMEM ? rc : 0;
    for (size_t i = 0; i < names.count && disks->count < STATUS_DISKS_MAX; i++) {
        const char *name = names.items[i];
        if (is_disk(disks->root, name) && find(disks, name) == NULL)
            known_disk_init(&disks->items[disks->count++], disks->root, name);
    }
    kernel_names_fini(&names);
    return 0;
}

static void disk_answered(void *ctx, const struct command_result *result) {
    struct disks *disks = ctx;
    struct known_disk *known = find(disks, disks->asked);
    disks->command = NULL;
    if (result->too_late)
        log_info("disks: %s did not tell its health within a minute", disks->asked);
    if (known == NULL || result->len == 0)
        return;
    if (smart_parse(result->output, result->len, result->exit_status, &known->disk) != SMART_REFUSED)
        return;
    disks->ask_from = disks->now_ms + REFUSED_MS;
    log_info("disks: smartctl may not ask them for their health here: that needs root. Tried again in a day");
}

static bool find_program(const char *root, char to[static KERNEL_PATH_SIZE]) {
    static const char *const places[] = {"/usr/sbin/smartctl", "/usr/local/sbin/smartctl", "/sbin/smartctl", NULL};
    for (size_t i = 0; places[i] != NULL; i++) {
        int n = snprintf(to, KERNEL_PATH_SIZE, "%s%s", root, places[i]);
        if (n > 0 && n < KERNEL_PATH_SIZE && kernel_has(root, "%s", places[i]))
            return true;
    }
    return false;
}

static void ask(struct disks *disks, struct known_disk *known) {
    char program[KERNEL_PATH_SIZE], device[80];
    char json[] = "--json=c", unless[] = "-n", asleep[] = "standby", all[] = "-a";
    char *const argv[] = {program, json, unless, asleep, all, device, NULL};
    if (!find_program(disks->root, program)) {
        disks->ask_from = disks->now_ms + HEALTH_MS;
        return;
    }
    known->ask_at = disks->now_ms + HEALTH_MS;
    (void)snprintf(device, sizeof device, "/dev/%s", known->disk.name);
    (void)str_copy(disks->asked, sizeof disks->asked, known->disk.name);
    int rc = command_start(disks->loop, argv, ANSWER_MAX, ANSWER_MS, disk_answered, disks, &disks->command);
    if (rc != 0)
        log_debug("disks: cannot start %s: %s", program, err_text(rc));
}

int disks_sample(struct disks *disks, uint64_t now_ms, struct status *out) {
    disks->now_ms = now_ms;
    if (now_ms >= disks->list_at) {
        disks->list_at = now_ms + LIST_MS;
        int rc = list_disks(disks);
        if (rc != 0)
            return rc;
    }
    for (size_t i = 0; i < disks->count; i++) {
        struct known_disk *known = &disks->items[i];
        if (disks->loop != NULL && disks->command == NULL && now_ms >= disks->ask_from && now_ms >= known->ask_at)
            ask(disks, known);
        struct disk *disk = status_add(out, "disks");
        if (disk == NULL)
            return SP_ENOMEM;
        *disk = known->disk;
    }
    return 0;
}

int disks_new(struct loop *loop, const char *root, struct disks **out) {
    struct disks *disks = calloc(1, sizeof *disks);
    if (disks == NULL)
        return SP_ENOMEM;
    disks->loop = loop;
    disks->root = strdup(root);
    if (disks->root == NULL) {
        free(disks);
        return SP_ENOMEM;
    }
    *out = disks;
    return 0;
}

void disks_free(struct disks *disks) {
    if (disks == NULL)
        return;
    command_cancel(disks->command);
    free(disks->root);
    free(disks);
}
