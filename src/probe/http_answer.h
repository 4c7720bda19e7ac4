/* The answer of a program on this machine to a request of ours: only its status and where its body begins. */
#ifndef SALLYPORT_PROBE_HTTP_ANSWER_H
#define SALLYPORT_PROBE_HTTP_ANSWER_H

#include <stddef.h>

/* "HTTP/1.x STATUS ..." and fields up to the empty line: the status, and *body behind that line; 0 for anything else. */
unsigned http_answer_status(const char *answer, size_t len, const char **body);

#endif
