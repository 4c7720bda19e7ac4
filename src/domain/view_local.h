/* What the files of the view share. */
#ifndef SALLYPORT_DOMAIN_VIEW_LOCAL_H
#define SALLYPORT_DOMAIN_VIEW_LOCAL_H

#include "sallyport/domain/view.h"

struct json_t;

enum { VIEW_AGO_SIZE = 32 };

/* "3 min"; "never" for 0. */
void view_ago_text(char to[static VIEW_AGO_SIZE], int64_t now, int64_t since);

/* view_state.c: sets status, claims and alerts; `extent` as status_to_json has it. False when out of memory. */
bool view_put_state(struct json_t *object, const struct machine_view *view, unsigned extent);
/* view_state_text.c: the cells of the table; what is not known is "". */
#define VIEW_GPUS_SIZE 96
#define VIEW_DISK_SIZE 300
void view_gpus_text(char to[static VIEW_GPUS_SIZE], const struct status *status);
void view_disk_text(char to[static VIEW_DISK_SIZE], const struct status *status);
/* The part in percent, or -1 when not known. */
int view_percent(int64_t part, int64_t whole);
/* What `status` says of the machine's health, of its GPUs and of who is using them. */
int view_state_detail(const struct machine_view *view, struct buf *out, int64_t now);

/* view_reach.c: a new jansson object (the caller's), or NULL when out of memory. */
struct json_t *view_reach_json(const struct view_reach *reach);
/* view_reach_text.c: what `status` says of the direct way and of the clock; nothing when nothing is known. */
int view_reach_detail(const struct machine_view *view, struct buf *out, int64_t now);
int view_clock_detail(const struct machine_view *view, struct buf *out);

#endif
