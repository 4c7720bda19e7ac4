/* Messages to the operator, on standard error, one line each. */
#ifndef SALLYPORT_BASE_LOG_H
#define SALLYPORT_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* The only process-wide setting of the house. Under systemd (JOURNAL_STREAM is set) each line begins with `<level>`,
 * else with a UTC time. Call before any thread starts. The default is LOG_LEVEL_INFO. */
void log_setup(enum log_level level);
bool log_enabled(enum log_level level);

/* One line, at most 1 KiB (cut off beyond it); control characters, which may come from a hostile peer, become `\xNN`.
 * Safe from any thread. errno is kept. Never pass a secret. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
