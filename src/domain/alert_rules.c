/* What counts as wrong with a machine: a row for each kind, and how each is found. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "alert_local.h"
#include "sallyport/base/str.h"

#define TEXT_SIZE 512
#define COOLED_CELSIUS 5
#define FREED_SHARE 0.02

struct rule {
    const char *words;    /* for a title */
    const char *over;     /* how its end is told, behind the object's name */
    unsigned on_s, off_s; /* bad for so long: on; good for so long: off */
    unsigned gone_s;      /* not told of for so long: off */
    int setting;          /* which one says on_s; -1: the row itself */
    bool of_status;       /* found in statuses, not in time */
    bool urgent, quiet_end;
};

static const struct rule rules[ALERT_KINDS] = {
    [ALERT_OFFLINE] = {"offline", "back online", 0, 0, 0, -1, false, false, false},
    [ALERT_GPU_HOT] = {"GPU hot", "has cooled down", 0, 60, 600, -1, true, false, false},
    [ALERT_GPU_THROTTLED] = {"GPU slowed down", "runs at its own speed again", 0, 120, 600,
                             SETTING_GPU_THROTTLED_AFTER_S, true, false, false},
    [ALERT_GPU_LOST] = {"GPU lost", "is back", 15, 60, 86400, -1, true, true, false},
    [ALERT_GPU_XID] = {"GPU error", "had no further error", 0, 600, 3600, -1, true, false, true},
    [ALERT_GPU_ECC] = {"GPU memory error", "had no further error", 0, 600, 3600, -1, true, false, true},
    [ALERT_DISK_FULL] = {"disk nearly full", "has room again", 0, 60, 600, -1, true, false, false},
    [ALERT_DISK_FULL_SOON] = {"disk full soon", "will not be full soon", 600, 1800, 3600, -1, true, false, false},
    [ALERT_DISK_FAILING] = {"disk failing", "says that it is well again", 0, 600, 86400, -1, true, true, false},
    [ALERT_MEMORY_PRESSURE] = {"memory short", "programs need not wait for memory any more", 60, 120, 600, -1, true,
                               false, false},
    [ALERT_JOB_ENDED] = {"job ended", "", 0, 0, 0, -1, true, false, true},
    [ALERT_CLAIM_ENDING] = {"claim ending", "", 0, 0, 0, -1, false, false, true},
    [ALERT_CLAIM_BROKEN] = {"claimed GPU in use", "is used against a claim no more", 15, 60, 60, -1, true, false,
                            false},
};

int64_t alert_on_after_s(const struct alert_settings *settings, enum alert_kind kind) {
    const struct rule *rule = &rules[kind];
    return rule->setting < 0 ? (int64_t)rule->on_s : (int64_t)settings->values[rule->setting];
}

int64_t alert_off_after_s(enum alert_kind kind) {
    return rules[kind].off_s;
}

int64_t alert_gone_after_s(enum alert_kind kind) {
    return rules[kind].gone_s;
}

bool alert_is_of_status(enum alert_kind kind) {
    return rules[kind].of_status;
}

bool alert_is_urgent(enum alert_kind kind) {
    return rules[kind].urgent;
}

bool alert_tells_end(enum alert_kind kind) {
    return !rules[kind].quiet_end;
}

const char *alert_kind_words(enum alert_kind kind) {
    return rules[kind].words;
}

void alert_gone_text(const struct alert *alert, char to[static ALERT_TEXT_SIZE]) {
    bool gpu = str_starts(alert->object, "gpu");
    const char *over = alert->kind == ALERT_CLAIM_BROKEN ? rules[alert->kind].over : "is not told of any more";
    snprintf(to, ALERT_TEXT_SIZE, "%s%s %s", gpu ? "GPU " : "", alert->object + (gpu ? 3 : 0), over);
}

/* `name` is how people call the object; "" for the machine itself. */
static void see(struct alert_look *look, const struct alert_sight *sight, const char *name) {
    char over[TEXT_SIZE];
    struct alert_sight seen = *sight;
    snprintf(over, sizeof(over), "%s%s%s", name, name[0] ? " " : "", rules[sight->kind].over);
    seen.over = over;
    alert_see(look, &seen);
}

static bool has_word(const char *words, const char *word) {
    size_t len = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += len) {
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    }
    return false;
}

static void look_heat(struct alert_look *look, const struct gpu *gpu, const char *object, const char *name) {
    double limit = look->view->settings->values[SETTING_GPU_TEMPERATURE_CELSIUS];
    char text[TEXT_SIZE];
    snprintf(text, sizeof(text), "%s is at %.0f degrees Celsius (limit %.0f)", name, gpu->temperature_celsius, limit);
    struct alert_sight hot = {.kind = ALERT_GPU_HOT, .key = gpu->id, .object = object, .text = text};
    hot.level = alert_level_of(gpu->temperature_celsius, limit, limit - COOLED_CELSIUS);
    see(look, &hot, name);
    bool heat = has_word(gpu->throttle, "thermal");
    bool slow = heat || has_word(gpu->throttle, "hardware") || has_word(gpu->throttle, "brake");
    snprintf(text, sizeof(text), "%s is slowed down by %s", name, heat ? "heat" : "its hardware");
    struct alert_sight slowed = {.kind = ALERT_GPU_THROTTLED, .key = gpu->id, .object = object, .text = text};
    slowed.level = slow ? LEVEL_BAD : LEVEL_GOOD;
    see(look, &slowed, name);
}

static void look_errors(struct alert_look *look, const struct gpu *gpu, const char *object, const char *name) {
    char text[TEXT_SIZE], number[32] = "";
    if (gpu->xid_last >= 0)
        snprintf(number, sizeof(number), " %lld", (long long)gpu->xid_last);
    snprintf(text, sizeof(text), "%s had an error that its driver reports as Xid%s", name, number);
    struct alert_sight xid = {.kind = ALERT_GPU_XID, .key = gpu->id, .object = object, .text = text, .over = text};
    alert_see_count(look, &xid, gpu->xid_count);
    snprintf(text, sizeof(text), "the memory of %s had an error that could not be corrected", name);
    struct alert_sight ecc = {.kind = ALERT_GPU_ECC, .key = gpu->id, .object = object, .text = text, .over = text};
    alert_see_count(look, &ecc, gpu->ecc_uncorrected_count);
}

static void look_gpu(struct alert_look *look, const struct gpu *gpu) {
    char object[32], name[32], text[TEXT_SIZE];
    snprintf(object, sizeof(object), "gpu%lld", (long long)gpu->index);
    snprintf(name, sizeof(name), "GPU %lld", (long long)gpu->index);
    bool hangs = strcmp(gpu->state, "hanging") == 0;
    bool lost = hangs || strcmp(gpu->state, "lost") == 0;
    snprintf(text, sizeof(text), hangs ? "the driver of %s does not answer" : "%s fell off its bus", name);
    struct alert_sight sight = {.kind = ALERT_GPU_LOST, .key = gpu->id, .object = object, .text = text};
    sight.level = lost ? LEVEL_BAD : gpu->state[0] ? LEVEL_GOOD : LEVEL_UNKNOWN;
    see(look, &sight, name);
    look_heat(look, gpu, object, name);
    look_errors(look, gpu, object, name);
}

/* The fuller of space and inodes; as df sees it, what is reserved for root counts neither as used nor as free. */
static double used_share(const struct filesystem *filesystem, bool *inodes) {
    double space = NAN, nodes = NAN;
    if (filesystem->used_bytes >= 0 && filesystem->available_bytes >= 0 &&
        (filesystem->used_bytes > 0 || filesystem->available_bytes > 0))
        space = (double)filesystem->used_bytes / ((double)filesystem->used_bytes + (double)filesystem->available_bytes);
    if (filesystem->inodes_used >= 0 && filesystem->inodes_total > 0)
        nodes = (double)filesystem->inodes_used / (double)filesystem->inodes_total;
    *inodes = isfinite(nodes) && (!isfinite(space) || nodes > space);
    return *inodes ? nodes : space;
}

static void look_filesystem(struct alert_look *look, const struct filesystem *filesystem) {
    const struct alert_settings *settings = look->view->settings;
    double limit = settings->values[SETTING_DISK_USED_SHARE], soon = settings->values[SETTING_DISK_FULL_IN_S];
    char text[TEXT_SIZE], in[32];
    bool inodes;
    double share = used_share(filesystem, &inodes);
    snprintf(text, sizeof(text), "%s is %.0f %% full%s (limit %.0f %%)", filesystem->mount, floor(share * 100),
             inodes ? " of files" : "", limit * 100);
    struct alert_sight full = {.kind = ALERT_DISK_FULL, .key = filesystem->mount, .object = filesystem->mount};
    full.text = text;
    full.level = alert_level_of(share, limit, limit - FREED_SHARE);
    see(look, &full, filesystem->mount);
    str_ago(in, sizeof(in), filesystem->full_in_s > 0 ? (uint64_t)filesystem->full_in_s : 0);
    snprintf(text, sizeof(text), "%s will be full in about %s", filesystem->mount, in);
    struct alert_sight filling = {.kind = ALERT_DISK_FULL_SOON, .key = filesystem->mount, .text = text};
    filling.object = filesystem->mount;
    /* Not known means that it does not fill up. */
    filling.level = filesystem->full_in_s < 0                     ? LEVEL_GOOD
                    : (double)filesystem->full_in_s <= soon       ? LEVEL_BAD
                    : (double)filesystem->full_in_s <= 1.5 * soon ? LEVEL_BETWEEN
                                                                  : LEVEL_GOOD;
    see(look, &filling, filesystem->mount);
}

static void look_disk(struct alert_look *look, const struct disk *disk) {
    char text[TEXT_SIZE], name[96];
    snprintf(name, sizeof(name), "the disk %s", disk->name);
    snprintf(text, sizeof(text), "%s%s%s%s says that it is failing: save what is on it", name,
             disk->model[0] ? " (" : "", disk->model, disk->model[0] ? ")" : "");
    struct alert_sight sight = {.kind = ALERT_DISK_FAILING, .key = disk->name, .object = disk->name, .text = text};
    sight.level = strcmp(disk->health, "failing") == 0  ? LEVEL_BAD
                  : strcmp(disk->health, "passed") == 0 ? LEVEL_GOOD
                                                        : LEVEL_UNKNOWN;
    see(look, &sight, name);
}

static void look_memory(struct alert_look *look, const struct status *status) {
    double limit = look->view->settings->values[SETTING_MEMORY_PRESSURE_SHARE];
    char text[TEXT_SIZE];
    snprintf(text, sizeof(text), "programs wait for memory %.0f %% of the time (limit %.0f %%)",
             status->memory_pressure_share * 100, limit * 100);
    struct alert_sight sight = {.kind = ALERT_MEMORY_PRESSURE, .key = "", .object = "", .text = text};
    sight.level = alert_level_of(status->memory_pressure_share, limit, limit / 2);
    see(look, &sight, "");
}

/* "gpu0" and "GPU 0" of the first one that it was on. */
static void name_gpus(const struct process *process, char object[static 32], char name[static 32]) {
    snprintf(object, 32, "%s", "");
    snprintf(name, 32, "a GPU");
    for (unsigned i = 0; i < STATUS_GPUS_MAX; i++) {
        if (process->gpus >> i & 1) {
            snprintf(object, 32, "gpu%u", i);
            snprintf(name, 32, "GPU %u", i);
            return;
        }
    }
}

/* What the job was called stays with those who may log in there. */
static void look_job(struct alert_look *look, const struct process *process) {
    const struct alert_view *view = look->view;
    int64_t ran = view->now - process->started;
    char object[32], name[32], ago[32];
    if (!process->ended || process->started <= 0 || !alert_settings_wants(view->settings, ALERT_JOB_ENDED) ||
        (double)ran < view->settings->values[SETTING_JOB_ENDED_AFTER_S])
        return;
    struct alert alert = {.kind = ALERT_JOB_ENDED, .since = view->now};
    name_gpus(process, object, name);
    str_ago(ago, sizeof(ago), (uint64_t)ran);
    snprintf(alert.key, sizeof(alert.key), "%lld", (long long)process->pid);
    snprintf(alert.object, sizeof(alert.object), "%s", object);
    snprintf(alert.who, sizeof(alert.who), "%s", claim_owner(process));
    snprintf(alert.text, sizeof(alert.text), "a job%s%s on %s has ended after %s (process %lld)",
             alert.who[0] ? " of " : "", alert.who, name, ago, (long long)process->pid);
    alert_tell_event(look, &alert);
}

static void look_claims(struct alert_look *look, const struct process *process) {
    const struct alert_view *view = look->view;
    const char *owner = claim_owner(process);
    for (unsigned i = 0; owner[0] && !process->ended && i < STATUS_GPUS_MAX; i++) {
        const struct claim *claim =
            process->gpus >> i & 1 ? claim_find_index(view->claims, view->claim_count, i, view->now) : NULL;
        char key[ALERT_KEY_SIZE], object[32], name[32], text[TEXT_SIZE];
        if (!claim || strcmp(claim->user, owner) == 0)
            continue;
        snprintf(key, sizeof(key), "%s %s", claim->gpu_id, owner);
        snprintf(object, sizeof(object), "gpu%u", i);
        snprintf(name, sizeof(name), "GPU %u", i);
        snprintf(text, sizeof(text), "%s uses %s, which %s has claimed", owner, name, claim->user);
        struct alert_sight sight = {.kind = ALERT_CLAIM_BROKEN, .key = key, .object = object, .text = text};
        sight.level = LEVEL_BAD;
        sight.who = claim->user;
        sight.other = owner;
        see(look, &sight, name);
    }
}

void alert_look_status(struct alert_state *state, const struct alert_view *view, const struct status *status) {
    struct alert_look look = {.state = state, .view = view};
    for (size_t i = 0; i < status->gpu_count; i++)
        look_gpu(&look, &status->gpus[i]);
    for (size_t i = 0; i < status->filesystem_count; i++)
        look_filesystem(&look, &status->filesystems[i]);
    for (size_t i = 0; i < status->disk_count; i++)
        look_disk(&look, &status->disks[i]);
    look_memory(&look, status);
    for (size_t i = 0; i < status->process_count; i++) {
        look_job(&look, &status->processes[i]);
        look_claims(&look, &status->processes[i]);
    }
    alert_forget(&look, true);
}

static void look_ending(struct alert_look *look, const struct claim *claim) {
    const struct alert_view *view = look->view;
    int64_t before = (int64_t)view->settings->values[SETTING_CLAIM_ENDING_S], left = claim->until - view->now;
    char object[32] = "", text[TEXT_SIZE], ago[32];
    if (left <= 0 || left > before || claim->until - claim->since <= before)
        return;
    str_ago(ago, sizeof(ago), (uint64_t)left);
    if (claim->gpu >= 0)
        snprintf(object, sizeof(object), "gpu%lld", (long long)claim->gpu);
    snprintf(text, sizeof(text), "the claim of %s on %s%.20s ends in %s", claim->user, claim->gpu >= 0 ? "GPU " : "",
             claim->gpu >= 0 ? object + 3 : "a GPU", ago);
    struct alert_sight sight = {.kind = ALERT_CLAIM_ENDING, .key = claim->gpu_id, .object = object, .text = text};
    sight.level = LEVEL_BAD;
    sight.who = claim->user;
    see(look, &sight, "");
}

void alert_look_time(struct alert_state *state, const struct alert_view *view, int64_t missed_since, int64_t left) {
    struct alert_look look = {.state = state, .view = view};
    double after = view->settings->values[SETTING_OFFLINE_AFTER_S];
    char text[TEXT_SIZE], since[21];
    str_time(since, left);
    snprintf(text, sizeof(text), "offline since %s", since);
    struct alert_sight away = {.kind = ALERT_OFFLINE, .key = "", .object = "", .text = text};
    away.level = missed_since == 0                             ? LEVEL_GOOD
                 : (double)(view->now - missed_since) >= after ? LEVEL_BAD
                                                               : LEVEL_BETWEEN;
    see(&look, &away, "");
    for (size_t i = 0; i < view->claim_count; i++)
        look_ending(&look, &view->claims[i]);
    alert_forget(&look, false);
}
