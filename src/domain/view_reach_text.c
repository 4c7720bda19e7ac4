/* The ways past the relay for people: is there one, and what became of each address. */
#include <stdio.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/table.h"
#include "view_local.h"

#define CLOCK_OFFSET_S 60 /* what is less does not matter to anybody */
#define KIND_SIZE 64

static const char *by_words(const char *by) {
    static const char *const words[][2] = {{"upnp", "UPnP"}, {"nat-pmp", "NAT-PMP"}, {"pcp", "PCP"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(by, words[i][0]) == 0)
            return words[i][1];
    }
    return by;
}

/* "mapped by UPnP", "own network", "IPv6, sshd itself", ... */
static void kind_text(char to[static KIND_SIZE], const struct candidate *candidate) {
    static const char *const words[] = {
        [CANDIDATE_LAN] = "own network",
        [CANDIDATE_MAPPED] = "mapped",
        [CANDIDATE_IPV6] = "IPv6",
        [CANDIDATE_OBSERVED] = "no router",
    };
    snprintf(to, KIND_SIZE, "%s%s%s%s", words[candidate->kind], candidate->by[0] ? " by " : "", by_words(candidate->by),
             candidate->to_sshd ? ", sshd itself" : "");
}

/* "3 min ago"; "" when it was never checked. */
static void checked_text(char to[static VIEW_AGO_SIZE + 8], const struct candidate *candidate, int64_t now) {
    char ago[VIEW_AGO_SIZE];
    view_ago_text(ago, now, candidate->checked);
    snprintf(to, VIEW_AGO_SIZE + 8, "%s%s", candidate->checked > 0 ? ago : "", candidate->checked > 0 ? " ago" : "");
}

static const char *state_words(const struct candidate *candidate) {
    static const char *const words[] = {
        [CANDIDATE_UNCHECKED] = "not proved yet",
        [CANDIDATE_VERIFIED] = "proved",
        [CANDIDATE_FAILED] = "failed",
    };
    /* The relay never asks there: nothing is to be expected. */
    return candidate->kind == CANDIDATE_LAN ? "" : words[candidate->state];
}

static int candidates_table(const struct view_reach *reach, struct buf *out, int64_t now) {
    static const char *const headings[] = {"ADDRESS", "PORT", "WHAT", "STATE", "CHECKED", "WHY"};
    struct table table;
    if (reach->count == 0)
        return 0;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = 0; i < reach->count && i < CANDIDATES_MAX; i++) {
        const struct candidate *candidate = &reach->candidates[i];
        char port[8], kind[KIND_SIZE], checked[VIEW_AGO_SIZE + 8];
        snprintf(port, sizeof(port), "%u", (unsigned)candidate->port);
        kind_text(kind, candidate);
        checked_text(checked, candidate, now);
        table_row(&table,
                  (const char *[]){candidate->address, port, kind, state_words(candidate), checked, candidate->text});
    }
    int rc = table_print(&table, 2, out);
    table_fini(&table);
    return rc;
}

int view_reach_detail(const struct machine_view *view, struct buf *out, int64_t now) {
    if (!view->online || !view->has_reach || view->home_hidden)
        return 0;
    const struct candidate *proved = view_reach_proved(&view->reach);
    int rc;
    if (proved) {
        char kind[KIND_SIZE], checked[VIEW_AGO_SIZE + 8];
        kind_text(kind, proved);
        checked_text(checked, proved, now);
        rc = buf_printf(out, "\n  Direct way: yes, %s port %u (%s, proved%s%s)\n", proved->address,
                        (unsigned)proved->port, kind, checked[0] ? " " : "", checked);
    } else {
        rc = buf_printf(out, "\n  Direct way: none: %s. Streams go through the relay%s.\n",
                        view_reach_reason(&view->reach), view->reach.can_fetch ? "" : "'s SSH tunnel");
    }
    return rc ? rc : candidates_table(&view->reach, out, now);
}

int view_clock_detail(const struct machine_view *view, struct buf *out) {
    char off[VIEW_AGO_SIZE];
    bool ahead = view->clock_offset_s > 0;
    uint64_t by = ahead ? (uint64_t)view->clock_offset_s : -(uint64_t)view->clock_offset_s;
    if (!view->online || !view->has_clock || by <= CLOCK_OFFSET_S)
        return 0;
    str_ago(off, sizeof(off), by);
    return buf_printf(out, "  clock     wrong: %s %s the relay's\n", off, ahead ? "ahead of" : "behind");
}
