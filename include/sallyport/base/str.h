/* Strings: bounded copies, numbers, words of a command line, sizes and times for people. */
#ifndef SALLYPORT_BASE_STR_H
#define SALLYPORT_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies with its terminator; SP_ETOOBIG (nothing written) when it does not fit into size. */
int str_copy(char *to, size_t size, const char *from);
bool str_starts(const char *text, const char *prefix);
/* Digits only, whole string, within min..max: 0, else SP_EFORMAT or SP_ETOOBIG. */
int str_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out);
/* "90", "30s", "10m", "24h", "7d" -> seconds. SP_EFORMAT or SP_ETOOBIG (over 10 years). */
int str_duration(const char *text, uint64_t *seconds);
/* Valid UTF-8 without control characters (C0, DEL, C1). */
bool str_is_clean(const char *text, size_t len);
/* How long the longest beginning of a UTF-8 text is that has at most max bytes and cuts no character in two. */
size_t str_cut(const char *text, size_t len, size_t max);

/* Splits a line into words as a POSIX shell would for blanks, '..', ".." and \x, without any expansion; writes into
 * `line` itself. At most max words. SP_EFORMAT: a quote is not closed; SP_ETOOBIG: too many. */
int str_words(char *line, char **words, size_t max, size_t *count);

/* "1.5 GiB", "640 KiB", "12 B". */
void str_bytes(char *to, size_t size, uint64_t bytes);
/* "12 s", "4 min", "3 h 5 min", "2 d 4 h". */
void str_ago(char *to, size_t size, uint64_t seconds);
/* RFC 3339 in UTC with seconds: "2026-11-23T10:00:00Z". `to` holds 21 bytes. */
void str_time(char to[static 21], int64_t unix_seconds);
/* The same read, and of a day ("2026-11-23") its beginning: 0, or SP_EFORMAT, also for what is not after 1970. */
int str_time_read(const char *text, int64_t *unix_seconds);

#endif
