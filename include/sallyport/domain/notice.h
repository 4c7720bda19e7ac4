/* Notices: one message to one channel, and how it is written for each kind of channel. */
#ifndef SALLYPORT_DOMAIN_NOTICE_H
#define SALLYPORT_DOMAIN_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/base/buf.h"
#include "sallyport/domain/alert.h"

struct notice {
    char kind[24];  /* "gpu_hot"; "test", "more" */
    char state[12]; /* "on", "resolved", "test", "more" */
    char machine[SP_NAME_SIZE];
    char object[ALERT_OBJECT_SIZE];
    char text[ALERT_TEXT_SIZE];
    int64_t since; /* UTC seconds; 0: not said */
    bool urgent;   /* it does not wait for quiet hours to end */
};

/* What an alert that has turned says; `machine` is its name. */
void notice_of_alert(struct notice *notice, const char *machine, const struct alert *alert, enum alert_turn turn);

/* Each appends; 0 or SP_ENOMEM. `url`: of the page about it.
 * "box1: GPU 0 is at 91 degrees Celsius (limit 87)". */
int notice_line(const struct notice *notice, struct buf *out);
/* In a few words and ASCII: "box1: GPU hot", "box1: resolved: GPU hot". */
int notice_title(const struct notice *notice, struct buf *out);
/* {"kind","machine","object","state","since","text","url"}. */
int notice_json(const struct notice *notice, const char *url, struct buf *out);
/* A whole message (RFC 5322), lines with CRLF, the text in base64; `from` and `to` were checked, `now` in UTC seconds. */
int notice_mail(const struct notice *notice, const char *url, const char *from, const char *to, int64_t now,
                struct buf *out);
/* How urgent ntfy takes it, 1 to 5, and the sign that it shows. */
int notice_priority(const struct notice *notice);
const char *notice_tag(const struct notice *notice);

#endif
