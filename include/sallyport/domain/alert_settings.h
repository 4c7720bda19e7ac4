/* Which alerts are wanted and from where on: named values with defaults and bounds. */
#ifndef SALLYPORT_DOMAIN_ALERT_SETTINGS_H
#define SALLYPORT_DOMAIN_ALERT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "sallyport/base/err.h"

/* In the order of docs/PROTOCOL.md section 8. */
enum alert_kind {
    ALERT_OFFLINE,
    ALERT_GPU_HOT,
    ALERT_GPU_THROTTLED,
    ALERT_GPU_LOST,
    ALERT_GPU_XID,
    ALERT_GPU_ECC,
    ALERT_DISK_FULL,
    ALERT_DISK_FULL_SOON,
    ALERT_DISK_FAILING,
    ALERT_MEMORY_PRESSURE,
    ALERT_JOB_ENDED,
    ALERT_CLAIM_ENDING,
    ALERT_CLAIM_BROKEN,
    ALERT_KINDS,
};

/* "gpu_hot". */
const char *alert_kind_name(enum alert_kind kind);
/* SP_ENOENT. */
int alert_kind_parse(const char *name, enum alert_kind *out);

enum alert_setting {
    SETTING_OFFLINE_AFTER_S,
    SETTING_GPU_TEMPERATURE_CELSIUS,
    SETTING_GPU_THROTTLED_AFTER_S,
    SETTING_DISK_USED_SHARE,
    SETTING_DISK_FULL_IN_S,
    SETTING_MEMORY_PRESSURE_SHARE,
    SETTING_JOB_ENDED_AFTER_S,
    SETTING_CLAIM_ENDING_S,
    SETTING_OF_KINDS, /* the switch of a kind is SETTING_OF_KINDS + kind: 1 on, 0 off */
    ALERT_SETTINGS = SETTING_OF_KINDS + ALERT_KINDS,
};

struct alert_settings {
    double values[ALERT_SETTINGS];
};

/* Room for a value as text. */
#define ALERT_VALUE_SIZE 24

/* "gpu_temperature_celsius", "gpu_hot"; "celsius", "s", "share", NULL for a switch; one line. */
const char *alert_setting_name(unsigned setting);
const char *alert_setting_unit(unsigned setting);
const char *alert_setting_help(unsigned setting);
double alert_setting_default(unsigned setting);
/* By its name: SP_ENOENT with why. */
int alert_setting_find(const char *name, unsigned *out, struct why *why);
/* A value as people write it: "87", "0.95", "95%", "5m", "on", "off". SP_EINVAL with why: it makes no sense, or is out
 * of bounds. Pure. */
int alert_setting_parse(unsigned setting, const char *text, double *out, struct why *why);
/* The value as it is shown: "87", "0.95", "on". */
void alert_setting_format(unsigned setting, double value, char to[static ALERT_VALUE_SIZE]);

void alert_settings_init(struct alert_settings *settings);
bool alert_settings_wants(const struct alert_settings *settings, enum alert_kind kind);

#endif
