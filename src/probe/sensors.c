#include "sensors.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "kernel_file.h"
#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

#define CELSIUS_MIN (-50)
#define CELSIUS_MAX 150
#define FAN_RPM_MAX 50000

/* What a chip's sensor says of the processor; of several ranks the highest counts. */
struct processor_sensor {
    const char *chip, *label; /* beginnings */
    int rank;
};
static const struct processor_sensor
    processor_sensors
        [] =
            {
                {"k10temp", "Tdie", 3},        {"zenpower", "Tdie", 3},
                {"k10temp", "Tctl", 2}, /* with an offset on some processors; then they have Tdie, too */
                {"zenpower", "Tctl", 2},       {"k10temp", "temp1", 2},
                {"coretemp", "Package id", 3}, {"coretemp", "Core ", 1},
                {"via_cputemp", "", 1},        {"cpu_thermal", "", 1},
                {"cpu-thermal", "", 1},        {"soc_thermal", "", 1},
                {"x86_pkg_temp", "", 1},       {NULL, NULL, 0},
};

/* What is gathered: the hottest sensor of the best rank. */
struct processor {
    double celsius;
    int rank;
};

static bool is_left_out(const char *chip) {
    static const char *const chips[] = {"drivetemp", "amdgpu", "radeon", "nouveau", "i915", "xe", NULL};
    for (size_t i = 0; chips[i] != NULL; i++)
        if (strcmp(chip, chips[i]) == 0)
            return true;
    return false;
}

static void note_processor(struct processor *processor, const char *chip, const char *label, double celsius) {
    for (const struct processor_sensor *one = processor_sensors; one->chip != NULL; one++) {
        if (!str_starts(chip, one->chip) || !str_starts(label, one->label) || one->rank < processor->rank)
            continue;
        if (one->rank > processor->rank || celsius > processor->celsius)
            processor->celsius = celsius;
        processor->rank = one->rank;
        return;
    }
}

static bool is_taken(const struct status *status, const char *name) {
    for (size_t i = 0; i < status->sensor_count; i++)
        if (strcmp(status->sensors[i].name, name) == 0)
            return true;
    return false;
}

/* "nvme Composite", and for a second one "nvme Composite 2". False when no name is left. */
static bool make_name(const struct status *status, const char *chip, const char *label, char *to, size_t size) {
    int n = snprintf(to, size, "%s %s", chip, label);
    for (int i = 2; n > 0 && (size_t)n < size && is_taken(status, to) && i <= STATUS_SENSORS_MAX; i++)
        n = snprintf(to, size, "%s %s %d", chip, label, i);
    return n > 0 && (size_t)n < size && !is_taken(status, to);
}

/* A chip while its sensors are read. */
struct chip {
    const char *root, *folder; /* "hwmon3" */
    char name[32];
    struct processor *processor;
};

/* "temp1" of "temp1_input"; false for any other file. */
static bool sensor_of_file(const char *file, char *to, size_t size) {
    const char *end = strstr(file, "_input");
    size_t len = end == NULL ? 0 : (size_t)(end - file);
    if (len == 0 || len >= size || end[strlen("_input")] != '\0')
        return false;
    memcpy(to, file, len);
    to[len] = '\0';
    return true;
}

static int read_sensor(const struct chip *chip, const char *sensor, struct status *out) {
    char label[KERNEL_NAME_SIZE] = "", name[sizeof out->sensors->name];
    int64_t value, fault = 0;
    bool is_fan = str_starts(sensor, "fan");
    const char *root = chip->root, *folder = chip->folder;
    if ((!is_fan && !str_starts(sensor, "temp")) || out->sensor_count == STATUS_SENSORS_MAX)
        return 0;
    if (!kernel_integer(&value, root, "/sys/class/hwmon/%s/%s_input", folder, sensor) ||
        (kernel_integer(&fault, root, "/sys/class/hwmon/%s/%s_fault", folder, sensor) && fault != 0))
        return 0;
    if (is_fan ? value < 0 || value > FAN_RPM_MAX : value < CELSIUS_MIN * 1000 || value > CELSIUS_MAX * 1000)
        return 0;
    if (kernel_text(label, sizeof label, root, "/sys/class/hwmon/%s/%s_label", folder, sensor) != 0 ||
        label[0] == '\0' || !str_is_clean(label, strlen(label)))
        (void)snprintf(label, sizeof label, "%s", sensor);
    if (!is_fan)
        note_processor(chip->processor, chip->name, label, (double)value / 1000);
    if (!make_name(out, chip->name, label, name, sizeof name))
        return 0;
    struct sensor *place = status_add(out, "sensors");
    if (place == NULL)
        return SP_ENOMEM;
    memcpy(place->name, name, sizeof place->name);
    if (is_fan)
        place->fan_rpm = value;
    else
        place->temperature_celsius = (double)value / 1000;
    return 0;
}

static int read_chip(struct chip *chip, struct status *out) {
    struct kernel_names files;
    char sensor[KERNEL_NAME_SIZE];
    if (kernel_text(chip->name, sizeof chip->name, chip->root, "/sys/class/hwmon/%s/name", chip->folder) != 0 ||
        !str_is_clean(chip->name, strlen(chip->name)) || is_left_out(chip->name))
        return 0;
    int rc = kernel_list(&files, chip->root, "/sys/class/hwmon/%s", chip->folder);
    if (rc != 0)
        return rc == SP_ENOMEM ? rc : 0;
    for (size_t i = 0; rc == 0 && i < files.count; i++)
        if (sensor_of_file(files.items[i], sensor, sizeof sensor))
            rc = read_sensor(chip, sensor, out);
    kernel_names_fini(&files);
    return rc;
}

int sensors_sample(const char *root, struct status *out) {
    struct kernel_names chips;
    struct processor processor = {.celsius = NAN};
    int rc = kernel_list(&chips, root, "/sys/class/hwmon");
    if (rc != 0)
        return rc == SP_ENOMEM ? rc : 0;
    for (size_t i = 0; rc == 0 && i < chips.count; i++) {
        struct chip chip = {.root = root, .folder = chips.items[i], .processor = &processor};
        rc = read_chip(&chip, out);
    }
    out->cpu_temperature_celsius = processor.celsius;
    kernel_names_fini(&chips);
    return rc;
}
