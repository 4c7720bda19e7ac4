/* Quiet hours: read, written, asked. */
#include "sallyport/domain/quiet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"

#define DAY_MIN 1440

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* "hh:mm", hours below `hours`. */
static bool read_clock(const char *text, int hours, int *minutes) {
    if (strlen(text) != 5 || !is_digit(text[0]) || !is_digit(text[1]) || text[2] != ':' || !is_digit(text[3]) ||
        !is_digit(text[4]))
        return false;
    int hour = (text[0] - '0') * 10 + text[1] - '0', minute = (text[3] - '0') * 10 + text[4] - '0';
    if (hour >= hours || minute > 59)
        return false;
    *minutes = hour * 60 + minute;
    return true;
}

int quiet_parse_time(const char *text, int *minutes, struct why *why) {
    if (read_clock(text, 24, minutes))
        return 0;
    why_set(why, "a time of the day is wanted, such as 22:00, not '%.16s'", text);
    return SP_EINVAL;
}

int quiet_parse_offset(const char *text, int *minutes, struct why *why) {
    int value = 0;
    if (strcmp(text, "Z") != 0 && ((text[0] != '+' && text[0] != '-') || !read_clock(text + 1, 15, &value))) {
        why_set(why, "how far your time is ahead of UTC is wanted, such as +01:00 or -05:00, not '%.16s'", text);
        return SP_EINVAL;
    }
    *minutes = text[0] == '-' ? -value : value;
    return 0;
}

int quiet_parse_span(const char *text, struct quiet *out, struct why *why) {
    char copy[16];
    char *dash = NULL;
    struct quiet quiet = *out;
    if (str_copy(copy, sizeof(copy), text) || !(dash = strchr(copy, '-'))) {
        why_set(why, "two times of the day are wanted, such as 22:00-07:00, not '%.16s'", text);
        return SP_EINVAL;
    }
    *dash = '\0';
    int rc = quiet_parse_time(copy, &quiet.from, why);
    if (!rc)
        rc = quiet_parse_time(dash + 1, &quiet.to, why);
    if (!rc)
        *out = quiet;
    return rc;
}

void quiet_format_time(int minutes, char to[static QUIET_TEXT_SIZE]) {
    unsigned value = (unsigned)minutes % DAY_MIN;
    snprintf(to, QUIET_TEXT_SIZE, "%02u:%02u", value / 60, value % 60);
}

void quiet_format_offset(int minutes, char to[static QUIET_TEXT_SIZE]) {
    unsigned value = (unsigned)abs(minutes) % DAY_MIN;
    snprintf(to, QUIET_TEXT_SIZE, "%c%02u:%02u", minutes < 0 ? '-' : '+', value / 60, value % 60);
}

int64_t quiet_until(const struct quiet *quiet, int64_t now) {
    int64_t there = now + (int64_t)quiet->offset * 60, second = there % 86400;
    int64_t from = (int64_t)quiet->from * 60, to = (int64_t)quiet->to * 60;
    if (from == to)
        return 0;
    if (from < to)
        return second >= from && second < to ? now + to - second : 0;
    if (second >= from)
        return now + 86400 - second + to;
    return second < to ? now + to - second : 0;
}
