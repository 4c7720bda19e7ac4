/* What a door says on a socket before raw bytes follow, or before it closes. */
#ifndef SALLYPORT_AGENT_ANSWER_H
#define SALLYPORT_AGENT_ANSWER_H

#include "sallyport/base/err.h"
#include "sallyport/base/loop.h"

/* Says `ok`, with a text when it is not NULL. The socket stays the caller's. SP_ECLOSED: it did not take it. */
int answer_ok(int fd, const char *text);
/* Says `no` with a reason and closes, in such a way that the peer gets it although it may be sending. */
void answer_no(struct loop *loop, int fd, const char *reason);
/* Closes like that, after what was said last. */
void answer_close(struct loop *loop, int fd);

#endif
