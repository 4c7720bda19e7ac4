/* What smartctl says of a disk, as JSON. */
#ifndef SALLYPORT_PROBE_SMART_H
#define SALLYPORT_PROBE_SMART_H

#include <stddef.h>

#include "sallyport/domain/status.h"

enum smart_answer {
    SMART_READ,
    SMART_ASLEEP,  /* the disk was not woken: what was known stays */
    SMART_REFUSED, /* whoever asks lacks the right to */
    SMART_NOTHING, /* the disk tells nothing, or this is no answer of smartctl's */
};

/* Reads the output of `smartctl --json -n standby -a` (7.0 or later) and its exit status (smartctl(8), EXIT STATUS) into
 * `disk`, all but its name; what is not said becomes not known, but for the model. Untouched unless SMART_READ. */
enum smart_answer smart_parse(const char *text, size_t len, int exit_status, struct disk *disk);

#endif
