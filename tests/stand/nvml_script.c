#include "nvml_script.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/str.h"

static const struct {
    const char *name;
    size_t offset;
    unsigned usual;
} figures[] = {
#define FIGURE(member, usual) \
    { #member, offsetof(struct stand_gpu, member), usual }
    FIGURE(utilization, 0),
    FIGURE(memory_total_mib, 24564),
    FIGURE(memory_used_mib, 512),
    FIGURE(temperature, 41),
    FIGURE(fan, 30),
    FIGURE(power, 25500),
    FIGURE(limit, 450000),
    FIGURE(clock, 210),
    FIGURE(clock_max, 3105),
    FIGURE(memory_clock, 405),
    FIGURE(slow, 1),
    FIGURE(width, 16),
    FIGURE(width_max, 16),
    FIGURE(generation, 1),
    FIGURE(generation_max, 4),
    FIGURE(links, 0),
    FIGURE(links_active, 0),
    FIGURE(corrected, 0),
    FIGURE(uncorrected, 0),
    FIGURE(energy_joules, 1000),
};
enum { FIGURES = sizeof figures / sizeof figures[0] };

enum { WORDS_MAX = 32 };
struct words {
    char *items[WORDS_MAX];
    size_t count;
};

__attribute__((noreturn)) static void script_fail(const struct words *words) {
    (void)fprintf(stderr, "nvml stand-in: a line '%s ...' makes no sense\n", words->count > 0 ? words->items[0] : "");
    _exit(97);
}

static unsigned word_number(const struct words *words, size_t i) {
    uint64_t number = 0;
    if (i >= words->count || str_u64(words->items[i], 0, UINT32_MAX, &number) != 0)
        script_fail(words);
    return (unsigned)number;
}

static const char *word_text(const struct words *words, size_t i) {
    if (i >= words->count)
        script_fail(words);
    return words->items[i];
}

/* The words from there on, with a blank before each. */
static void word_rest(const struct words *words, size_t i, char *to, size_t size) {
    to[0] = '\0';
    for (; i < words->count; i++)
        (void)snprintf(to + strlen(to), size - strlen(to), " %s", words->items[i]);
}

static unsigned *figure_of(struct stand_gpu *gpu, size_t i) {
    return (unsigned *)(void *)((char *)gpu + figures[i].offset);
}

static void script_init(struct stand_script *script) {
    memset(script, 0, sizeof *script);
    script->gpu_count = 2;
    (void)snprintf(script->driver, sizeof script->driver, "550.54.14");
    for (unsigned i = 0; i < STAND_GPUS; i++) {
        struct stand_gpu *gpu = &script->gpus[i];
        gpu->index = i;
        for (size_t j = 0; j < FIGURES; j++)
            *figure_of(gpu, j) = figures[j].usual;
        (void)snprintf(gpu->name, sizeof gpu->name, "NVIDIA GeForce RTX %s", i == 0 ? "4090" : "3090");
        (void)snprintf(gpu->uuid, sizeof gpu->uuid, "GPU-5a11b047-0000-4000-8000-0000000000%02x", i);
    }
}

static void read_gpu(struct stand_script *script, const struct words *words) {
    unsigned index = word_number(words, 1);
    const char *what = word_text(words, 2);
    char rest[sizeof script->gpus[0].unsupported - 1];
    if (index >= STAND_GPUS)
        script_fail(words);
    struct stand_gpu *gpu = &script->gpus[index];
    word_rest(words, 3, rest, sizeof rest);
    if (strcmp(what, "lost") == 0) {
        gpu->lost = true;
    } else if (strcmp(what, "name") == 0) {
        (void)str_copy(gpu->name, sizeof gpu->name, rest + 1);
    } else if (strcmp(what, "uuid") == 0) {
        (void)str_copy(gpu->uuid, sizeof gpu->uuid, rest + 1);
    } else if (strcmp(what, "unsupported") == 0) {
        (void)snprintf(gpu->unsupported, sizeof gpu->unsupported, "%s ", rest);
    } else if (strcmp(what, "mig") == 0 && word_number(words, 3) <= STAND_PARTS) {
        gpu->parts = word_number(words, 3);
    } else if (strcmp(what, "xid") == 0) {
        gpu->xid = word_number(words, 3);
        gpu->xid_count = word_number(words, 4);
    } else {
        size_t i = 0;
        while (i < FIGURES && strcmp(figures[i].name, what) != 0)
            i++;
        if (i == FIGURES)
            script_fail(words);
        *figure_of(gpu, i) = word_number(words, 3);
    }
}

static void read_process(struct stand_script *script, const struct words *words) {
    const char *kind = words->count > 5 ? words->items[5] : "compute";
    if (script->process_count == STAND_PROCESSES)
        script_fail(words);
    script->processes[script->process_count++] = (struct stand_process){
        .gpu = word_number(words, 1),
        .pid = word_number(words, 2),
        .mib = word_number(words, 3),
        .percent = words->count > 4 ? word_number(words, 4) : 0,
        .part = words->count > 6 ? word_number(words, 6) : 0,
        .computes = strcmp(kind, "graphics") != 0,
        .draws = strcmp(kind, "compute") != 0,
    };
}

static void read_line(struct stand_script *script, const struct words *words) {
    if (words->count == 0 || words->items[0][0] == '#')
        return;
    const char *what = words->items[0];
    if (strcmp(what, "gpu") == 0) {
        read_gpu(script, words);
    } else if (strcmp(what, "process") == 0) {
        read_process(script, words);
    } else if (strcmp(what, "odd") == 0) {
        script->odd = true;
    } else if (strcmp(what, "gpus") == 0 && word_number(words, 1) <= STAND_GPUS) {
        script->gpu_count = word_number(words, 1);
    } else if (strcmp(what, "driver") == 0) {
        (void)str_copy(script->driver, sizeof script->driver, word_text(words, 1));
    } else if (strcmp(what, "init") == 0) {
        script->init_code = (int)word_number(words, 1);
    } else if (strcmp(what, "hang") == 0) {
        (void)str_copy(script->hang, sizeof script->hang, word_text(words, 1));
        script->hang_s = strtod(word_text(words, 2), NULL);
    } else if (strcmp(what, "crash") == 0) {
        (void)str_copy(script->crash, sizeof script->crash, word_text(words, 1));
    } else {
        script_fail(words);
    }
}

void stand_script_refresh(struct stand_script *script) {
    const char *path = getenv("SALLYPORT_NVML_SCRIPT");
    struct stat now;
    char line[1024];
    if (!path || stat(path, &now) != 0) {
        if (script->driver[0] == '\0')
            script_init(script);
        return;
    }
    if (script->driver[0] != '\0' && now.st_ino == script->seen.st_ino && now.st_size == script->seen.st_size &&
        now.st_mtim.tv_sec == script->seen.st_mtim.tv_sec && now.st_mtim.tv_nsec == script->seen.st_mtim.tv_nsec)
        return;
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    script_init(script);
    script->seen = now;
    while (fgets(line, sizeof line, file)) {
        struct words words = {.count = 0};
        line[strcspn(line, "\n")] = '\0';
        if (str_words(line, words.items, WORDS_MAX, &words.count) != 0)
            script_fail(&words);
        read_line(script, &words);
    }
    (void)fclose(file);
}
