/* A sample as bytes, small enough for a value a minute of everything. */
#include <math.h>
#include <string.h>

#include "sallyport/base/err.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/series.h"

enum { PACK_VERSION = 1, CODE_UNKNOWN = 0, CODE_FIRST = 1, CODE_LAST = 65535 };

#define SHARE_STEP (1.0 / (CODE_LAST - CODE_FIRST))
#define DEGREE_STEP 0.01
/* Ratios: CODE_FIRST is 0 (whatever is below the least), the next ones are from the least up. */
#define RATIO_LEAST 1e-3
#define RATIO_STEP 6e-4 /* of the logarithm: reaches beyond 1e13 */

enum scale { SCALE_SHARE, SCALE_DEGREES, SCALE_RATIO };

/* A series' unit, which its name ends with, says which steps do for it. */
static enum scale scale_of(const char *name) {
    size_t len = strlen(name);
    if (len > 6 && strcmp(name + len - 6, "_share") == 0)
        return SCALE_SHARE;
    return len > 8 && strcmp(name + len - 8, "_celsius") == 0 ? SCALE_DEGREES : SCALE_RATIO;
}

static uint16_t code_of(double value, enum scale scale) {
    double code = CODE_FIRST;
    if (!isfinite(value))
        return CODE_UNKNOWN;
    switch (scale) {
    case SCALE_SHARE:
        code += value / SHARE_STEP;
        break;
    case SCALE_DEGREES:
        code += value / DEGREE_STEP;
        break;
    case SCALE_RATIO:
        if (value >= RATIO_LEAST)
            code += 1 + log(value / RATIO_LEAST) / RATIO_STEP;
        break;
    }
    code = floor(code + 0.5);
    return code < CODE_FIRST ? CODE_FIRST : code > CODE_LAST ? CODE_LAST : (uint16_t)code;
}

static float value_of(unsigned code, enum scale scale) {
    if (code == CODE_UNKNOWN)
        return NAN;
    double steps = code - CODE_FIRST;
    switch (scale) {
    case SCALE_SHARE:
        return (float)(steps * SHARE_STEP);
    case SCALE_DEGREES:
        return (float)(steps * DEGREE_STEP);
    case SCALE_RATIO:
        break;
    }
    return steps < 1 ? 0 : (float)(RATIO_LEAST * exp((steps - 1) * RATIO_STEP));
}

size_t sample_pack(const struct sample *sample, uint8_t to[static SAMPLE_BYTES_MAX]) {
    size_t n = 1;
    to[0] = PACK_VERSION;
    for (size_t g = 0; g < sample->count; g++) {
        const struct sample_group *group = &sample->groups[g];
        enum series_kind kind;
        if (!series_kind_of(group->subject, &kind))
            continue;
        const struct series_about *about = series_of(kind);
        size_t begun = n;
        bool known = false;
        uint8_t bytes[1 + 2 * SERIES_PER_SUBJECT_MAX] = {group->subject};
        size_t len = 1;
        for (size_t i = 0; about[i].name; i++) {
            uint16_t code = code_of((double)group->values[i], scale_of(about[i].name));
            known |= code != CODE_UNKNOWN;
            bytes[len++] = (uint8_t)(code & 0xff);
            bytes[len++] = (uint8_t)(code >> 8);
        }
        if (!known || begun + len > SAMPLE_BYTES_MAX)
            continue;
        memcpy(to + begun, bytes, len);
        n += len;
    }
    return n > 1 ? n : 0;
}

int sample_unpack(const uint8_t *bytes, size_t n, struct sample *out) {
    struct sample sample = {.count = 0};
    if (n == 0 || bytes[0] != PACK_VERSION)
        return SP_EFORMAT;
    for (size_t at = 1; at < n; sample.count++) {
        enum series_kind kind;
        struct sample_group *group = &sample.groups[sample.count];
        if (sample.count == SAMPLE_GROUPS_MAX || !series_kind_of(bytes[at], &kind))
            return SP_EFORMAT;
        group->subject = bytes[at++];
        const struct series_about *about = series_of(kind);
        for (size_t i = 0; i < SERIES_PER_SUBJECT_MAX; i++)
            group->values[i] = NAN;
        for (size_t i = 0; about[i].name; i++, at += 2) {
            if (n - at < 2)
                return SP_EFORMAT;
            group->values[i] = value_of((unsigned)bytes[at] | (unsigned)bytes[at + 1] << 8, scale_of(about[i].name));
        }
    }
    *out = sample;
    return 0;
}
