#include "sallyport/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "utf8.h"

#define LOG_LINE 1024

/* Written by log_setup before any thread starts, read only ever after. */
static enum log_level log_limit = LOG_LEVEL_INFO;
static bool log_to_journal = false;

/* $JOURNAL_STREAM is inherited by everything below a service, terminals too: it counts only while standard error is
 * still the very stream that it names. */
static bool stderr_is_journal(void) {
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    char own[64];
    if (!stream || fstat(STDERR_FILENO, &st) != 0)
        return false;
    snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(stream, own) == 0;
}

void log_setup(enum log_level level) {
    log_limit = level;
    log_to_journal = stderr_is_journal();
}

bool log_enabled(enum log_level level) {
    return level <= log_limit;
}

static size_t log_prefix(char *to, size_t size, enum log_level level) {
    static const char *const words[] = {
        [LOG_LEVEL_ERROR] = "error: ",
        [LOG_LEVEL_WARN] = "warning: ",
        [LOG_LEVEL_INFO] = "",
        [LOG_LEVEL_DEBUG] = "debug: ",
    };
    int n;
    if (log_to_journal) {
        n = snprintf(to, size, "<%d>", (int)level);
    } else {
        char now[21];
        str_time(now, os_realtime_s());
        n = snprintf(to, size, "%s %s", now, words[level]);
    }
    return n > 0 ? (size_t)n : 0;
}

/* Copies text to `to` with control characters and what is not UTF-8 as \xNN. Returns bytes written, at most size. */
static size_t log_escape(char *to, size_t size, const char *text, size_t len) {
    const uint8_t *from = (const uint8_t *)text;
    size_t used = 0;
    for (size_t i = 0; i < len;) {
        uint32_t code = 0;
        size_t n = utf8_next(from + i, len - i, &code);
        bool plain = n > 0 && !utf8_is_control(code);
        size_t take = n > 0 ? n : 1;
        if (used + (plain ? take : 4 * take) > size)
            break;
        for (size_t k = 0; k < take; k++) {
            static const char digits[] = "0123456789abcdef";
            uint8_t byte = from[i + k];
            if (plain) {
                to[used++] = (char)byte;
                continue;
            }
            to[used++] = '\\';
            to[used++] = 'x';
            to[used++] = digits[byte >> 4];
            to[used++] = digits[byte & 15];
        }
        i += take;
    }
    return used;
}

void log_write(enum log_level level, const char *format, ...) {
    if (!log_enabled(level))
        return;
    int saved = errno;
    char text[LOG_LINE], line[LOG_LINE];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n > 0) {
        size_t len = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
        size_t used = log_prefix(line, sizeof(line) - 1, level);
        used += log_escape(line + used, sizeof(line) - 1 - used, text, len);
        line[used++] = '\n';
        /* One write a line, so that lines of threads do not mix. Nobody could be told that it failed. */
        ssize_t written = write(STDERR_FILENO, line, used);
        (void)written;
    }
    errno = saved;
}
