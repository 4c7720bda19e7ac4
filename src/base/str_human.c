/* Sizes and times as people read them. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

void str_bytes(char *to, size_t size, uint64_t bytes) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(to, size, "%" PRIu64 " B", bytes);
        return;
    }
    size_t place = 0;
    uint64_t unit = 1024, tenths;
    for (;;) {
        tenths = bytes / unit * 10 + (bytes % unit * 10 + unit / 2) / unit;
        if (tenths < 10240 || place + 1 == sizeof(units) / sizeof(units[0]))
            break;
        unit *= 1024;
        place++;
    }
    if (tenths >= 1000 || tenths % 10 == 0)
        snprintf(to, size, "%" PRIu64 " %s", (tenths + 5) / 10, units[place]);
    else
        snprintf(to, size, "%" PRIu64 ".%u %s", tenths / 10, (unsigned)(tenths % 10), units[place]);
}

void str_ago(char *to, size_t size, uint64_t seconds) {
    uint64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
    if (minutes == 0)
        snprintf(to, size, "%" PRIu64 " s", seconds);
    else if (hours == 0)
        snprintf(to, size, "%" PRIu64 " min", minutes);
    else if (days == 0 && minutes % 60 == 0)
        snprintf(to, size, "%" PRIu64 " h", hours);
    else if (days == 0)
        snprintf(to, size, "%" PRIu64 " h %u min", hours, (unsigned)(minutes % 60));
    else if (hours % 24 == 0)
        snprintf(to, size, "%" PRIu64 " d", days);
    else
        snprintf(to, size, "%" PRIu64 " d %u h", days, (unsigned)(hours % 24));
}

void str_time(char to[static 21], int64_t unix_seconds) {
    /* RFC 3339 has years 0000 to 9999; outside, the nearest that it can say. */
    static const int64_t first = -62167219200, last = 253402300799;
    time_t when = (time_t)(unix_seconds < first ? first : unix_seconds > last ? last : unix_seconds);
    struct tm tm = {0};
    gmtime_r(&when, &tm);
    snprintf(to, 21, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)(tm.tm_year + 1900) % 10000U,
             (unsigned)(tm.tm_mon + 1) % 100U, (unsigned)tm.tm_mday % 100U, (unsigned)tm.tm_hour % 100U,
             (unsigned)tm.tm_min % 100U, (unsigned)tm.tm_sec % 100U);
}

int str_time_read(const char *text, int64_t *unix_seconds) {
    struct tm tm = {0}, day = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (!end) {
        end = strptime(text, "%Y-%m-%d", &day);
        tm = day;
    }
    int64_t seconds = end && *end == '\0' ? timegm(&tm) : 0;
    if (seconds <= 0)
        return SP_EFORMAT;
    *unix_seconds = seconds;
    return 0;
}
