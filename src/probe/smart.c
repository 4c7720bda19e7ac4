#include "smart.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "sallyport/base/str.h"

/* Exit status, bit by bit: the higher ones tell of errors in the past. */
enum { EXIT_BAD_USE = 1, EXIT_NOT_OPENED = 2, EXIT_FAILING = 8 };

/* ATA has no rule for these attributes; the names are smartmontools' (drivedb.h), the count is that of the raw value. */
enum { ATA_REALLOCATED = 5, ATA_REPORTED_UNCORRECTABLE = 187, ATA_OFFLINE_UNCORRECTABLE = 198 };

/* A count that makes sense, else STATUS_UNKNOWN. */
static int64_t count(const json_t *value) {
    json_int_t number = json_integer_value(value);
    return json_is_integer(value) && number >= 0 && number <= INT64_MAX / 3600 ? (int64_t)number : STATUS_UNKNOWN;
}

static const json_t *member(const json_t *object, const char *name, const char *inner) {
    return json_object_get(json_object_get(object, name), inner);
}

static void read_model(const json_t *answer, struct disk *disk) {
    const json_t *name = json_object_get(answer, "model_name");
    if (!json_is_string(name))
        name = json_object_get(answer, "scsi_model_name");
    if (!json_is_string(name) || json_string_length(name) == 0 ||
        !str_is_clean(json_string_value(name), json_string_length(name)))
        return;
    size_t len = str_cut(json_string_value(name), json_string_length(name), sizeof disk->model - 1);
    memcpy(disk->model, json_string_value(name), len);
    disk->model[len] = '\0';
}

static void read_common(const json_t *answer, int exit_status, struct disk *disk) {
    const json_t *passed = member(answer, "smart_status", "passed");
    int64_t celsius = count(member(answer, "temperature", "current"));
    int64_t hours = count(member(answer, "power_on_time", "hours"));
    int64_t worn = count(member(answer, "endurance_used", "current_percent"));
    if ((exit_status & EXIT_FAILING) != 0 || json_is_false(passed))
        memcpy(disk->health, "failing", sizeof "failing");
    else if (json_is_true(passed))
        memcpy(disk->health, "passed", sizeof "passed");
    if (celsius > 0 && celsius <= 150) /* 0: disks that do not know it */
        disk->temperature_celsius = (double)celsius;
    if (hours != STATUS_UNKNOWN)
        disk->powered_on_s = hours * 3600;
    if (worn != STATUS_UNKNOWN)
        disk->wear_share = (double)worn / 100;
}

/* NVM Express, "SMART / Health Information". */
static void read_nvme(const json_t *answer, struct disk *disk) {
    const json_t *log = json_object_get(answer, "nvme_smart_health_information_log");
    int64_t worn = count(json_object_get(log, "percentage_used"));
    if (worn != STATUS_UNKNOWN)
        disk->wear_share = (double)worn / 100;
    if (json_is_object(log))
        disk->error_count = count(json_object_get(log, "media_errors"));
}

/* The normalized value of these goes from 100 (new) to 0. */
static bool is_wear(const char *name) {
    static const char *const names[] = {"Wear_Leveling_Count",
                                        "SSD_Life_Left",
                                        "Media_Wearout_Indicator",
                                        "Percent_Lifetime_Remain",
                                        "Remaining_Lifetime_Perc",
                                        "Percent_Life_Remaining",
                                        NULL};
    for (size_t i = 0; names[i] != NULL; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static void read_attribute(const json_t *attribute, struct disk *disk) {
    int64_t id = count(json_object_get(attribute, "id"));
    int64_t raw = count(member(attribute, "raw", "value"));
    int64_t normalized = count(json_object_get(attribute, "value"));
    const char *name = json_string_value(json_object_get(attribute, "name"));
    if (id == ATA_REALLOCATED)
        disk->reallocated_count = raw;
    else if (id == ATA_REPORTED_UNCORRECTABLE || id == ATA_OFFLINE_UNCORRECTABLE)
        disk->error_count = raw > disk->error_count ? raw : disk->error_count;
    else if (name != NULL && is_wear(name) && isnan(disk->wear_share) && normalized >= 0 && normalized <= 100)
        disk->wear_share = (double)(100 - normalized) / 100;
}

static void read_ata(const json_t *answer, struct disk *disk) {
    const json_t *table = member(answer, "ata_smart_attributes", "table");
    for (size_t i = 0; i < json_array_size(table); i++)
        read_attribute(json_array_get(table, i), disk);
}

static void read_scsi(const json_t *answer, struct disk *disk) {
    const json_t *grown = json_object_get(answer, "scsi_grown_defect_list");
    const json_t *counters = json_object_get(answer, "scsi_error_counter_log");
    int64_t reads = count(member(counters, "read", "total_uncorrected_errors"));
    int64_t writes = count(member(counters, "write", "total_uncorrected_errors"));
    if (grown != NULL)
        disk->reallocated_count = count(grown);
    if (reads != STATUS_UNKNOWN && writes != STATUS_UNKNOWN)
        disk->error_count = reads + writes;
}

/* Does a message of smartctl's own have one of these words in it? */
static bool says(const json_t *answer, const char *one, const char *other) {
    const json_t *messages = member(answer, "smartctl", "messages");
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const char *text = json_string_value(json_object_get(json_array_get(messages, i), "string"));
        if (text != NULL && (strcasestr(text, one) != NULL || strcasestr(text, other) != NULL))
            return true;
    }
    return false;
}

static enum smart_answer judge(const json_t *answer, int exit_status) {
    if (!json_is_object(json_object_get(answer, "smartctl")) || exit_status < 0)
        return SMART_NOTHING;
    if (says(answer, "Permission denied", "Operation not permitted"))
        return SMART_REFUSED;
    if ((exit_status & EXIT_NOT_OPENED) != 0)
        return says(answer, "STANDBY", "SLEEP") ? SMART_ASLEEP : SMART_NOTHING;
    return (exit_status & EXIT_BAD_USE) != 0 ? SMART_NOTHING : SMART_READ;
}

enum smart_answer smart_parse(const char *text, size_t len, int exit_status, struct disk *disk) {
    json_t *answer = json_loadb(text, len, 0, NULL);
    enum smart_answer verdict = judge(answer, exit_status);
    if (verdict == SMART_READ) {
        struct disk read = {.temperature_celsius = NAN,
                            .wear_share = NAN,
                            .powered_on_s = STATUS_UNKNOWN,
                            .reallocated_count = STATUS_UNKNOWN,
                            .error_count = STATUS_UNKNOWN};
        memcpy(read.name, disk->name, sizeof read.name);
        memcpy(read.model, disk->model, sizeof read.model);
        read_model(answer, &read);
        read_common(answer, exit_status, &read);
        read_nvme(answer, &read);
        read_ata(answer, &read);
        read_scsi(answer, &read);
        *disk = read;
    }
    json_decref(answer);
    return verdict;
}
