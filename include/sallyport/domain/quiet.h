/* Quiet hours: the part of the day in which a user wants no messages. */
#ifndef SALLYPORT_DOMAIN_QUIET_H
#define SALLYPORT_DOMAIN_QUIET_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/base/err.h"

struct quiet {
    int from, to; /* minutes of the day there; the same: no quiet hours */
    int offset;   /* of the time there, minutes ahead of UTC */
};

/* Room for "22:00" and "+01:00". */
#define QUIET_TEXT_SIZE 8

/* "22:00" -> 1320; "+01:00" (also "Z") -> 60. SP_EINVAL with why. Pure. */
int quiet_parse_time(const char *text, int *minutes, struct why *why);
int quiet_parse_offset(const char *text, int *minutes, struct why *why);
/* "22:00-07:00". */
int quiet_parse_span(const char *text, struct quiet *out, struct why *why);
void quiet_format_time(int minutes, char to[static QUIET_TEXT_SIZE]);
void quiet_format_offset(int minutes, char to[static QUIET_TEXT_SIZE]);
/* When the quiet hours that hold at `now` (UTC seconds) end; 0: they do not hold. Pure. */
int64_t quiet_until(const struct quiet *quiet, int64_t now);

#endif
