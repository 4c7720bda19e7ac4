/* The temperatures and fans that the kernel's drivers tell (hwmon). */
#ifndef SALLYPORT_PROBE_SENSORS_H
#define SALLYPORT_PROBE_SENSORS_H

#include "sallyport/domain/status.h"

/* Sets the sensors of `out`, which has none yet, and cpu_temperature_celsius, the hottest processor's. A sensor that fails
 * or says nonsense is left out; so are those of GPUs, which tell it themselves, and the ones that drives have through
 * drivetemp: asking those keeps a disk from going to sleep. Names are unique. 0 or SP_ENOMEM. */
int sensors_sample(const char *root, struct status *out);

#endif
