/* Writes the text format that Prometheus reads (https://prometheus.io/docs/instrumenting/exposition_formats/). */
#ifndef SALLYPORT_RELAY_METRICS_H
#define SALLYPORT_RELAY_METRICS_H

#include "sallyport/base/buf.h"
#include "sallyport/relay/overview.h"

struct metrics {
    struct buf *out;
    int rc; /* the first failure: later calls do nothing */
};

enum metric_type { METRIC_COUNTER, METRIC_GAUGE };

/* A metric begins: its samples follow, all of them before the next one. */
void metrics_begin(struct metrics *metrics, const char *name, enum metric_type type, const char *help);

struct metric_label {
    const char *name; /* NULL after the last one */
    const char *value;
};
/* One sample. `labels` may be NULL. A value that is not known (NAN) is left out. */
void metrics_add(struct metrics *metrics, const char *name, const struct metric_label *labels, double value);
/* A metric with one sample and no labels; left out altogether when it is not known. */
void metrics_one(struct metrics *metrics, const char *name, enum metric_type type, const char *help, double value);

/* What this process uses, by the names that all exporters have in common; `started` in UTC seconds. */
void metrics_process(struct metrics *metrics, int64_t started);

/* web_metrics_state.c: what is known of the machines that are there: load, disks, GPUs and who is using them. */
void metrics_add_states(struct metrics *metrics, const struct overview *machines);

#endif
