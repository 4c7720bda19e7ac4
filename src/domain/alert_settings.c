/* The settings of alerts, as a table. */
#include "sallyport/domain/alert_settings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"

#define DAY_S 86400

struct setting {
    const char *name, *unit; /* unit NULL: a switch */
    double initial, least, most;
    const char *help;
};

#define SWITCH(kind, text) \
    { kind, NULL, 1, 0, 1, text }

static const struct setting settings_table[] = {
    {"offline_after_s", "s", 300, 10, 7 * DAY_S, "how long a machine is away before it counts as offline"},
    {"gpu_temperature_celsius", "celsius", 87, 40, 120, "from this temperature on a GPU is hot"},
    {"gpu_throttled_after_s", "s", 120, 10, DAY_S, "how long heat or the hardware slow a GPU down before it is told"},
    {"disk_used_share", "share", 0.95, 0.5, 1, "from this part on a file system is nearly full"},
    {"disk_full_in_s", "s", DAY_S, 600, 30 * DAY_S, "a file system that will be full within this time is told"},
    {"memory_pressure_share", "share", 0.2, 0.01, 1, "the part of the time in which programs wait for memory"},
    {"job_ended_after_s", "s", 600, 0, 30 * DAY_S, "the end of jobs on a GPU that were shorter is not told"},
    {"claim_ending_s", "s", 900, 60, DAY_S, "how long before its end a claim's end is told"},
    SWITCH("offline", "a machine is away and does not sleep"),
    SWITCH("gpu_hot", "a GPU is hot"),
    SWITCH("gpu_throttled", "a GPU is slowed down by heat or by its hardware"),
    SWITCH("gpu_lost", "a GPU fell off its bus, or its driver does not answer"),
    SWITCH("gpu_xid", "a driver reported an error of a GPU (Xid)"),
    SWITCH("gpu_ecc", "a GPU's memory had an error that could not be corrected"),
    SWITCH("disk_full", "a file system is nearly full"),
    SWITCH("disk_full_soon", "a file system will be full soon"),
    SWITCH("disk_failing", "a disk says that it is failing"),
    SWITCH("memory_pressure", "programs wait for memory"),
    SWITCH("job_ended", "a job on a GPU has ended"),
    SWITCH("claim_ending", "your claim ends soon"),
    SWITCH("claim_broken", "somebody else uses a GPU that was claimed"),
};
_Static_assert(sizeof(settings_table) / sizeof(settings_table[0]) == ALERT_SETTINGS, "a row for each setting");

const char *alert_kind_name(enum alert_kind kind) {
    return settings_table[SETTING_OF_KINDS + kind].name;
}

int alert_kind_parse(const char *name, enum alert_kind *out) {
    for (unsigned kind = 0; kind < ALERT_KINDS; kind++) {
        if (strcmp(name, alert_kind_name(kind)) == 0) {
            *out = kind;
            return 0;
        }
    }
    return SP_ENOENT;
}

const char *alert_setting_name(unsigned setting) {
    return settings_table[setting].name;
}

const char *alert_setting_unit(unsigned setting) {
    return settings_table[setting].unit;
}

const char *alert_setting_help(unsigned setting) {
    return settings_table[setting].help;
}

double alert_setting_default(unsigned setting) {
    return settings_table[setting].initial;
}

int alert_setting_find(const char *name, unsigned *out, struct why *why) {
    for (unsigned i = 0; i < ALERT_SETTINGS; i++) {
        if (strcmp(name, settings_table[i].name) == 0) {
            *out = i;
            return 0;
        }
    }
    why_set(why, "there is no setting '%.40s': 'alerts settings' shows them", name);
    return SP_ENOENT;
}

static int parse_switch(const char *name, const char *text, double *out, struct why *why) {
    bool on = strcmp(text, "on") == 0;
    if (!on && strcmp(text, "off") != 0) {
        why_set(why, "%s is 'on' or 'off', not '%.32s'", name, text);
        return SP_EINVAL;
    }
    *out = on;
    return 0;
}

/* Digits with a dot among them, nothing else: neither signs nor exponents nor hexadecimal. */
static bool parse_real(const char *text, char ending, double *out) {
    size_t len = strspn(text, "0123456789.");
    char *end = NULL;
    if (len == 0 || len > 12 || (text[len] && (text[len] != ending || text[len + 1])))
        return false;
    double value = strtod(text, &end);
    if (end != text + len || !isfinite(value))
        return false;
    *out = text[len] == '%' ? value / 100 : value;
    return true;
}

static bool parse_value(const struct setting *setting, const char *text, double *out) {
    uint64_t seconds = 0;
    if (strcmp(setting->unit, "s") != 0)
        return parse_real(text, strcmp(setting->unit, "share") == 0 ? '%' : '\0', out);
    if (str_duration(text, &seconds))
        return false;
    *out = (double)seconds;
    return true;
}

int alert_setting_parse(unsigned setting, const char *text, double *out, struct why *why) {
    const struct setting *row = &settings_table[setting];
    char least[ALERT_VALUE_SIZE], most[ALERT_VALUE_SIZE];
    double value = 0;
    if (!row->unit)
        return parse_switch(row->name, text, out, why);
    if (parse_value(row, text, &value) && value >= row->least && value <= row->most) {
        *out = value;
        return 0;
    }
    alert_setting_format(setting, row->least, least);
    alert_setting_format(setting, row->most, most);
    why_set(why, "%s is a number from %s to %s, not '%.32s'", row->name, least, most, text);
    return SP_EINVAL;
}

void alert_setting_format(unsigned setting, double value, char to[static ALERT_VALUE_SIZE]) {
    if (!settings_table[setting].unit)
        snprintf(to, ALERT_VALUE_SIZE, "%s", value > 0 ? "on" : "off");
    else
        snprintf(to, ALERT_VALUE_SIZE, "%.7g", value);
}

void alert_settings_init(struct alert_settings *settings) {
    for (unsigned i = 0; i < ALERT_SETTINGS; i++)
        settings->values[i] = settings_table[i].initial;
}

bool alert_settings_wants(const struct alert_settings *settings, enum alert_kind kind) {
    return settings->values[SETTING_OF_KINDS + kind] > 0;
}
