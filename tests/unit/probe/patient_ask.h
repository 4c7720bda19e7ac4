/* Questions to servers that a test plays wait as long as it takes: a server is another process, which a busy machine may
 * keep waiting. Only the one at a port that is to be silent has the time that it has in truth. The linker puts these
 * functions in the place of the true ones (CMakeLists.txt). */
#ifndef SALLYPORT_TESTS_PROBE_PATIENT_ASK_H
#define SALLYPORT_TESTS_PROBE_PATIENT_ASK_H

#include "sallyport/probe/ask.h"

enum { PATIENT_ASK_MS = 60000 };

static uint16_t patient_ask_silent; /* that port */
static unsigned patient_ask_over;   /* questions that are over */

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __wrap_ask_new(struct loop *loop, const struct ask_question *question,
                   void (*answered)(void *ctx, const char *answer, size_t len, bool timed_out), void *ctx,
                   struct ask **out);
int __real_ask_new(struct loop *loop, const struct ask_question *question,
                   void (*answered)(void *ctx, const char *answer, size_t len, bool timed_out), void *ctx,
                   struct ask **out);
void __wrap_ask_free(struct ask *ask);
void __real_ask_free(struct ask *ask);

int __wrap_ask_new(struct loop *loop, const struct ask_question *question,
                   void (*answered)(void *ctx, const char *answer, size_t len, bool timed_out), void *ctx,
                   struct ask **out) {
    struct ask_question patient = *question;
    if (patient_ask_silent == 0 || question->port != patient_ask_silent)
        patient.timeout_ms = PATIENT_ASK_MS;
    return __real_ask_new(loop, &patient, answered, ctx, out);
}

void __wrap_ask_free(struct ask *ask) {
    patient_ask_over += ask != NULL;
    __real_ask_free(ask);
}
/* NOLINTEND(bugprone-reserved-identifier) */

#endif
