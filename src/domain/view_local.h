/* What the files of the view share. */
#ifndef SALLYPORT_DOMAIN_VIEW_LOCAL_H
#define SALLYPORT_DOMAIN_VIEW_LOCAL_H

#include "sallyport/domain/view.h"

struct json_t;

enum { VIEW_AGO_SIZE = 32 };

/* "3 min"; "never" for 0. */
void view_ago_text(char to[static VIEW_AGO_SIZE], int64_t now, int64_t since);

/* view_reach.c: a new jansson object (the caller's), or NULL when out of memory. */
struct json_t *view_reach_json(const struct view_reach *reach);
/* view_reach_text.c: what `status` says of the direct way and of the clock; nothing when nothing is known. */
int view_reach_detail(const struct machine_view *view, struct buf *out, int64_t now);
int view_clock_detail(const struct machine_view *view, struct buf *out);

#endif
