/* A piece of a machine's history, from wherever it lies: memory, minutes, longer periods. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder_local.h"
#include "sallyport/base/log.h"

/* The lengths of a row that there are: whatever is asked for is rounded up to one of them. */
static const int64_t steps[] = {10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400};
#define STEP_COUNT (sizeof(steps) / sizeof(steps[0]))
#define CELLS ((size_t)SUBJECT_IDS * SERIES_PER_SUBJECT_MAX)
#define MEMORY (-1) /* as a level: the last hour */

struct cell {
    float *values; /* sums, or the highest; NULL: nothing is known */
    uint16_t *n;
};

struct reading {
    const struct recorder_machine *machine; /* NULL: none is remembered */
    const struct history_subject *subjects;
    size_t subject_count;
    int64_t from, to, step, period, next; /* next: behind the last row that was read */
    size_t rows;
    struct cell *cells; /* CELLS of them, by subject and series */
    bool *known;        /* one a row */
    bool short_of_memory;
};

/* The coarsest level that a step is made of. */
static int level_of(int64_t step) {
    for (int level = HISTORY_LEVELS - 1; level >= 0; level--) {
        if (step % history_levels[level].period_s == 0)
            return level;
    }
    return MEMORY;
}

static bool covers(int level, int64_t from, int64_t now, const struct recorder_machine *machine) {
    if (level != MEMORY)
        return from >= now - history_levels[level].keep_s;
    /* After a start of the relay there are minutes only. */
    return from >= now - RING_KEEP_S - 60 && machine && ring_oldest(&machine->ring) <= from + 120;
}

/* The finest step that is allowed, makes few enough rows, and for which there are rows from then on. */
static int choose_step(int64_t from, int64_t to, int64_t least, int64_t now, const struct recorder_machine *machine,
                       int64_t *out) {
    int64_t most = least > 0 ? RECORDER_ROWS_MAX : RECORDER_ROWS_AUTO;
    for (size_t i = 0; i < STEP_COUNT; i++) {
        if (steps[i] < least || !covers(level_of(steps[i]), from, now, machine))
            continue;
        if ((to - from) / steps[i] < most) {
            *out = steps[i];
            return 0;
        }
        if (least > 0)
            return SP_ETOOBIG;
    }
    *out = steps[STEP_COUNT - 1];
    return (to - from) / *out < RECORDER_ROWS_MAX ? 0 : SP_ETOOBIG;
}

static const struct history_subject *subject_of(const struct reading *reading, unsigned id) {
    const struct history_subject *live = reading->machine ? recorder_subject_find(reading->machine, id) : NULL;
    for (size_t i = 0; !live && i < reading->subject_count; i++) {
        if (reading->subjects[i].id == id)
            live = &reading->subjects[i];
    }
    return live;
}

static void put_value(struct reading *reading, struct cell *cell, size_t row, bool highest, float value) {
    if (!cell->values) {
        cell->values = calloc(reading->rows, sizeof(*cell->values));
        cell->n = calloc(reading->rows, sizeof(*cell->n));
    }
    if (!cell->values || !cell->n) {
        reading->short_of_memory = true;
        return;
    }
    uint16_t n = cell->n[row];
    if (n == UINT16_MAX)
        return;
    float *to = &cell->values[row];
    *to = !highest ? *to + value : n == 0 || value > *to ? value : *to;
    cell->n[row]++;
}

static void put_sample(void *ctx, int64_t time, const struct sample *sample) {
    struct reading *reading = ctx;
    size_t row = (size_t)((time - reading->from) / reading->step);
    reading->next = time + reading->period;
    if (time < reading->from || row >= reading->rows)
        return;
    reading->known[row] = true;
    for (size_t g = 0; g < sample->count; g++) {
        const struct sample_group *group = &sample->groups[g];
        const struct history_subject *subject = subject_of(reading, group->subject);
        enum series_kind kind;
        if (!subject || reading->next <= subject->since || !series_kind_of(group->subject, &kind))
            continue;
        const struct series_about *about = series_of(kind);
        for (size_t i = 0; about[i].name; i++) {
            if (isfinite(group->values[i]))
                put_value(reading, &reading->cells[group->subject * SERIES_PER_SUBJECT_MAX + i], row, about[i].highest,
                          group->values[i]);
        }
    }
}

/* Rows of that level, and behind its last one those of the finer ones, which are not rolled up yet. */
static int read_levels(struct recorder *recorder, struct reading *reading, int64_t machine_id, int level) {
    struct history *history = recorder_history(recorder);
    int rc = 0;
    reading->next = reading->from;
    for (; rc == 0 && history && level >= 0; level--) {
        reading->period = history_levels[level].period_s;
        rc = history_read(history, machine_id, (unsigned)level, reading->next, reading->to, put_sample, reading);
    }
    if (rc == SP_EFORMAT)
        recorder_damaged(recorder);
    if (reading->machine) {
        reading->period = RING_PERIOD_S;
        ring_read(&reading->machine->ring, reading->next, reading->to, put_sample, reading);
    }
    return reading->short_of_memory ? SP_ENOMEM : rc;
}

/* Which rows are shown: those of which anything is known, and the first of a stretch of nothing. A single row that was
 * missed is none. */
static size_t choose_rows(const struct reading *reading, size_t *shown) {
    size_t count = 0;
    for (size_t i = 0; i < reading->rows; i++) {
        bool gap =
            i > 0 && reading->known[i - 1] && !reading->known[i] && i + 1 < reading->rows && !reading->known[i + 1];
        if (reading->known[i] || gap)
            shown[count++] = i;
    }
    while (count > 0 && !reading->known[shown[count - 1]])
        count--;
    return count;
}

static void name_column(const struct history_subject *subject, enum series_kind kind, const struct series_about *about,
                        struct recorder_column *column) {
    static const char *const begins[] = {
        [SERIES_MACHINE] = "", [SERIES_GPU] = "gpu.", [SERIES_FILESYSTEM] = "filesystem."};
    snprintf(column->name, sizeof(column->name), "%s%s%s%s", begins[kind], subject->name, begins[kind][0] ? "." : "",
             about->name);
    memcpy(column->label, subject->label, sizeof(column->label));
    column->gpu = subject->gpu;
}

/* The values of the rows that are shown; takes them over from the cell. */
static void fill_column(struct cell *cell, bool highest, const size_t *shown, size_t rows,
                        struct recorder_column *column) {
    for (size_t i = 0; i < rows; i++) {
        uint16_t n = cell->n[shown[i]];
        float value = cell->values[shown[i]];
        /* Shown rows rise, so that what is still needed is not overwritten. */
        cell->values[i] = n == 0 ? NAN : highest ? value : value / (float)n;
    }
    column->values = cell->values;
    cell->values = NULL;
}

static int make_table(struct reading *reading, struct recorder_table *out) {
    struct recorder_table table = {.from = reading->from, .to = reading->to, .step_s = reading->step};
    size_t columns = 0;
    for (size_t i = 0; i < CELLS; i++)
        columns += reading->cells[i].values != NULL;
    size_t *shown = calloc(reading->rows, sizeof(*shown));
    table.times = calloc(reading->rows, sizeof(*table.times));
    table.column = calloc(columns + 1, sizeof(*table.column));
    if (!shown || !table.times || !table.column) {
        free(shown);
        recorder_table_fini(&table);
        return SP_ENOMEM;
    }
    table.rows = choose_rows(reading, shown);
    for (size_t i = 0; i < table.rows; i++)
        table.times[i] = reading->from + (int64_t)shown[i] * reading->step;
    for (size_t i = 0; i < CELLS; i++) {
        unsigned id = (unsigned)(i / SERIES_PER_SUBJECT_MAX);
        enum series_kind kind;
        if (!reading->cells[i].values || !series_kind_of(id, &kind))
            continue;
        const struct series_about *about = &series_of(kind)[i % SERIES_PER_SUBJECT_MAX];
        name_column(subject_of(reading, id), kind, about, &table.column[table.columns]);
        fill_column(&reading->cells[i], about->highest, shown, table.rows, &table.column[table.columns++]);
    }
    free(shown);
    *out = table;
    return 0;
}

static void reading_fini(struct reading *reading, struct history_subject *subjects) {
    for (size_t i = 0; reading->cells && i < CELLS; i++) {
        free(reading->cells[i].values);
        free(reading->cells[i].n);
    }
    free(reading->cells);
    free(reading->known);
    free(subjects);
}

int recorder_read(struct recorder *recorder, int64_t machine_id, int64_t from, int64_t to, int64_t step_s,
                  struct recorder_table *out) {
    struct history_subject *subjects = NULL;
    struct reading reading = {.machine = recorder_find(recorder, machine_id)};
    if (from < 0 || from >= to || to - from > RECORDER_SPAN_MAX_S)
        return SP_EINVAL;
    int rc = choose_step(from, to, step_s, recorder_now(recorder), reading.machine, &reading.step);
    if (rc < 0)
        return rc;
    reading.from = from - from % reading.step;
    reading.to = to;
    reading.rows = (size_t)((to - reading.from + reading.step - 1) / reading.step);
    struct history *history = recorder_history(recorder);
    if (history)
        rc = history_subjects(history, machine_id, &subjects, &reading.subject_count);
    reading.subjects = subjects;
    reading.cells = calloc(CELLS, sizeof(*reading.cells));
    reading.known = calloc(reading.rows, sizeof(*reading.known));
    if (!reading.cells || !reading.known)
        rc = SP_ENOMEM;
    if (rc == 0)
        rc = read_levels(recorder, &reading, machine_id, level_of(reading.step));
    if (rc == 0)
        rc = make_table(&reading, out);
    if (rc == SP_EFORMAT)
        recorder_damaged(recorder);
    reading_fini(&reading, subjects);
    return rc;
}

void recorder_table_fini(struct recorder_table *table) {
    for (size_t i = 0; table->column && i < table->columns; i++)
        free(table->column[i].values);
    free(table->column);
    free(table->times);
    *table = (struct recorder_table){.from = 0};
}
