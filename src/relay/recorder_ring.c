/* The last hour of a machine, in memory. */
#include <stdlib.h>
#include <string.h>

#include "recorder_local.h"

/* Slots grow by so many bytes. */
enum { SLOT_STEP = 16 };
_Static_assert(SAMPLE_BYTES_MAX <= UINT8_MAX, "a sample's length fits into a byte");

void ring_fini(struct ring *ring) {
    free(ring->bytes);
    *ring = (struct ring){.bytes = NULL};
}

static size_t slot_of(const struct ring *ring, size_t i) {
    return (ring->first + i) % RING_SLOTS;
}

/* Longer slots; false when memory is short. */
static bool grow(struct ring *ring, size_t n) {
    size_t slot = (n + SLOT_STEP - 1) / SLOT_STEP * SLOT_STEP;
    uint8_t *bytes = calloc(RING_SLOTS, slot);
    if (!bytes)
        return false;
    for (size_t i = 0; ring->bytes && i < RING_SLOTS; i++)
        memcpy(bytes + i * slot, ring->bytes + i * ring->slot, ring->slot);
    free(ring->bytes);
    ring->bytes = bytes;
    ring->slot = slot;
    return true;
}

void ring_put(struct ring *ring, int64_t time, const uint8_t *bytes, size_t n) {
    if (n == 0 || n > SAMPLE_BYTES_MAX || (n > ring->slot && !grow(ring, n)))
        return;
    /* Or one that takes the place of another would be gone for those who read up to this second. */
    time -= time % RING_PERIOD_S;
    while (ring->count > 0 && ring->times[slot_of(ring, ring->count - 1)] >= time)
        ring->count--;
    while (ring->count > 0 && (ring->count == RING_SLOTS || ring->times[ring->first] < time - RING_KEEP_S)) {
        ring->first = slot_of(ring, 1);
        ring->count--;
    }
    size_t at = slot_of(ring, ring->count++);
    ring->times[at] = time;
    ring->lengths[at] = (uint8_t)n;
    memcpy(ring->bytes + at * ring->slot, bytes, n);
}

int64_t ring_oldest(const struct ring *ring) {
    return ring->count > 0 ? ring->times[ring->first] : INT64_MAX;
}

void ring_read(const struct ring *ring, int64_t from, int64_t to,
               void (*row)(void *ctx, int64_t time, const struct sample *sample), void *ctx) {
    for (size_t i = 0; i < ring->count; i++) {
        size_t at = slot_of(ring, i);
        struct sample sample;
        if (ring->times[at] >= from && ring->times[at] < to &&
            sample_unpack(ring->bytes + at * ring->slot, ring->lengths[at], &sample) == 0)
            row(ctx, ring->times[at], &sample);
    }
}
