#include "slow.h"

#include <stdlib.h>
#include <string.h>

#include "filesystems.h"
#include "filling.h"
#include "power.h"
#include "sallyport/base/err.h"
#include "sallyport/base/log.h"
#include "sensors.h"

/* Samples come every 10 s as a rule; disks and sensors need not be asked more often. */
#define GAP_MS 9000
#define OLD_MS (60 * 1000U)

struct slow {
    struct work *work;
    char *root;
    struct status latest; /* of the moment read_at */
    bool power_is_whole;
    bool has_latest;
    bool has_begun, is_reading, is_orphan;
    uint64_t begun_at, read_at;
    /* The thread's alone while is_reading. */
    struct fillings fillings;
    struct power power;
    struct status next;
    bool next_is_whole;
};

static void slow_destroy(struct slow *slow) {
    status_fini(&slow->latest);
    status_fini(&slow->next);
    fillings_fini(&slow->fillings);
    free(slow->root);
    free(slow);
}

/* On the thread. */
static void slow_read(void *ctx) {
    struct slow *slow = ctx;
    int rc = filesystems_sample(slow->root, &slow->next);
    if (rc != 0)
        log_debug("system: cannot list all filesystems: %s", err_text(rc));
    fillings_update(&slow->fillings, slow->begun_at, &slow->next);
    if (sensors_sample(slow->root, &slow->next) != 0)
        log_debug("system: out of memory for sensors");
    power_sample(slow->root, slow->begun_at, &slow->power, &slow->next, &slow->next_is_whole);
}

static void slow_done(void *ctx) {
    struct slow *slow = ctx;
    slow->is_reading = false;
    if (slow->is_orphan) {
        slow_destroy(slow);
        return;
    }
    status_fini(&slow->latest);
    slow->latest = slow->next;
    slow->power_is_whole = slow->next_is_whole;
    slow->has_latest = true;
    slow->read_at = slow->begun_at;
    status_init(&slow->next);
}

/* The threads end before this was told. */
static void slow_dropped(void *ctx) {
    struct slow *slow = ctx;
    slow->is_reading = false;
    if (slow->is_orphan)
        slow_destroy(slow);
}

void slow_begin(struct slow *slow, uint64_t now_ms) {
    if (slow->is_reading || (slow->has_begun && now_ms - slow->begun_at < GAP_MS))
        return;
    slow->has_begun = slow->is_reading = true;
    slow->begun_at = now_ms;
    if (slow->work == NULL) {
        slow_read(slow);
        slow_done(slow);
    } else if (work_submit(slow->work, slow_read, slow_done, slow_dropped, slow) != 0) {
        slow->is_reading = false; /* the next sample tries again */
    }
}

int slow_sample(struct slow *slow, uint64_t now_ms, struct status *out, bool *power_is_whole) {
    if (!slow->has_latest || now_ms - slow->read_at > OLD_MS)
        return 0;
    const struct status *latest = &slow->latest;
    out->cpu_temperature_celsius = latest->cpu_temperature_celsius;
    out->power_watts = latest->power_watts;
    *power_is_whole = slow->power_is_whole;
    for (size_t i = 0; i < latest->filesystem_count; i++) {
        struct filesystem *filesystem = status_add(out, "filesystems");
        if (filesystem == NULL)
            return SP_ENOMEM;
        *filesystem = latest->filesystems[i];
    }
    for (size_t i = 0; i < latest->sensor_count; i++) {
        struct sensor *sensor = status_add(out, "sensors");
        if (sensor == NULL)
            return SP_ENOMEM;
        *sensor = latest->sensors[i];
    }
    return 0;
}

int slow_new(struct work *work, const char *root, struct slow **out) {
    struct slow *slow = calloc(1, sizeof *slow);
    if (slow == NULL)
        return SP_ENOMEM;
    slow->work = work;
    slow->root = strdup(root);
    if (slow->root == NULL) {
        free(slow);
        return SP_ENOMEM;
    }
    status_init(&slow->latest);
    status_init(&slow->next);
    *out = slow;
    return 0;
}

void slow_free(struct slow *slow) {
    if (slow == NULL)
        return;
    if (slow->is_reading)
        slow->is_orphan = true;
    else
        slow_destroy(slow);
}
