#include "power.h"

#include <math.h>
#include <string.h>

#include "kernel_file.h"
#include "sallyport/base/str.h"

/* More than that is nonsense. */
#define WATTS_MAX 20000.0

static double plausible(double watts) {
    return watts >= 0 && watts <= WATTS_MAX ? watts : NAN;
}

static void add(double *sum, double watts) {
    if (!isnan(watts))
        *sum = isnan(*sum) ? watts : *sum + watts;
}

static double battery_watts(const char *root, const char *name) {
    char text[32] = "";
    int64_t power, current, voltage;
    if (kernel_text(text, sizeof text, root, "/sys/class/power_supply/%s/type", name) != 0 ||
        strcmp(text, "Battery") != 0 ||
        kernel_text(text, sizeof text, root, "/sys/class/power_supply/%s/status", name) != 0 ||
        strcmp(text, "Discharging") != 0)
        return NAN;
    /* a mouse's battery discharges, too */
    if (kernel_text(text, sizeof text, root, "/sys/class/power_supply/%s/scope", name) == 0 &&
        strcmp(text, "Device") == 0)
        return NAN;
    if (kernel_integer(&power, root, "/sys/class/power_supply/%s/power_now", name))
        return plausible(fabs((double)power) / 1e6);
    if (kernel_integer(&current, root, "/sys/class/power_supply/%s/current_now", name) &&
        kernel_integer(&voltage, root, "/sys/class/power_supply/%s/voltage_now", name))
        return plausible(fabs((double)current) / 1e6 * ((double)voltage / 1e6));
    return NAN;
}

/* A chip that measures what goes into the machine, not into a part of it. */
static double meter_watts(const char *root, const char *folder) {
    char chip[32] = "", label[32] = "";
    int64_t value;
    if (kernel_text(chip, sizeof chip, root, "/sys/class/hwmon/%s/name", folder) != 0)
        return NAN;
    bool is_corsair = strcmp(chip, "corsairpsu") == 0;
    if (!is_corsair && strcmp(chip, "power_meter") != 0)
        return NAN;
    if (is_corsair && (kernel_text(label, sizeof label, root, "/sys/class/hwmon/%s/power1_label", folder) != 0 ||
                       strcmp(label, "power total") != 0))
        return NAN;
    if (kernel_integer(&value, root, "/sys/class/hwmon/%s/power1_average", folder) ||
        kernel_integer(&value, root, "/sys/class/hwmon/%s/power1_input", folder))
        return plausible((double)value / 1e6);
    return NAN;
}

/* All in that folder, together; NAN when none of them tells. */
static double sum_watts(const char *root, const char *folder, double (*watts)(const char *root, const char *name)) {
    struct kernel_names names;
    double sum = NAN;
    if (kernel_list(&names, root, "%s", folder) != 0)
        return NAN;
    for (size_t i = 0; i < names.count; i++)
        add(&sum, watts(root, names.items[i]));
    kernel_names_fini(&names);
    return sum;
}

static struct power_zone *find_zone(struct power *power, const char *name) {
    for (unsigned i = 0; i < power->count; i++)
        if (strcmp(power->zones[i].name, name) == 0)
            return &power->zones[i];
    return NULL;
}

/* The mean since the last call; the counter begins anew at max_energy_range_uj. */
static double zone_watts(const char *root, const char *name, uint64_t now_ms, struct power *power) {
    int64_t energy, range = 0;
    double watts = NAN;
    if (!kernel_integer(&energy, root, "/sys/class/powercap/%s/energy_uj", name) || energy < 0)
        return NAN;
    struct power_zone *zone = find_zone(power, name);
    if (zone != NULL && now_ms > zone->at_ms) {
        int64_t used = energy - zone->energy_uj;
        if (used < 0 && kernel_integer(&range, root, "/sys/class/powercap/%s/max_energy_range_uj", name))
            used += range;
        watts = plausible((double)used / 1000 / (double)(now_ms - zone->at_ms));
    }
    if (zone == NULL && power->count < POWER_ZONES_MAX) {
        zone = &power->zones[power->count];
        if (str_copy(zone->name, sizeof zone->name, name) != 0)
            return NAN;
        power->count++;
    }
    if (zone != NULL) {
        zone->energy_uj = energy;
        zone->at_ms = now_ms;
    }
    return watts;
}

/* Packages and psys are at the top ("intel-rapl:0", AMD's too), the memory is beneath its package ("intel-rapl:0:2"); the
 * other zones there are parts of the package. */
static double processors_watts(const char *root, uint64_t now_ms, struct power *power, bool *is_whole) {
    struct kernel_names names;
    double sum = NAN, platform = NAN;
    if (kernel_list(&names, root, "/sys/class/powercap") != 0)
        return NAN;
    for (size_t i = 0; i < names.count; i++) {
        char kind[32] = "";
        const char *name = names.items[i];
        /* intel-rapl-mmio counts the same once more */
        if (!str_starts(name, "intel-rapl:") ||
            kernel_text(kind, sizeof kind, root, "/sys/class/powercap/%s/name", name) != 0)
            continue;
        if (strcmp(kind, "psys") == 0)
            add(&platform, zone_watts(root, name, now_ms, power));
        else if (str_starts(kind, "package") || strcmp(kind, "dram") == 0)
            add(&sum, zone_watts(root, name, now_ms, power));
    }
    kernel_names_fini(&names);
    /* some boards have a psys that counts nothing */
    *is_whole = !isnan(platform) && !(platform < sum);
    return *is_whole ? platform : sum;
}

void power_sample(const char *root, uint64_t now_ms, struct power *power, struct status *out, bool *is_whole) {
    bool is_platform = false;
    /* always: its counters have to be known when the battery is not discharged any more */
    double processors = processors_watts(root, now_ms, power, &is_platform);
    double whole = sum_watts(root, "/sys/class/power_supply", battery_watts);
    if (isnan(whole))
        whole = sum_watts(root, "/sys/class/hwmon", meter_watts);
    *is_whole = !isnan(whole) || is_platform;
    out->power_watts = isnan(whole) ? processors : whole;
}
