/* A child process that is this program started anew: for work that may hang, crash or be taken over by what it reads. */
#ifndef SALLYPORT_BASE_HELPER_H
#define SALLYPORT_BASE_HELPER_H

#include <sys/types.h>

struct helper {
    pid_t pid;
    int socket; /* our end of a SOCK_SEQPACKET pair: close-on-exec, blocking */
    int pidfd;  /* readable when the child has ended */
};

/* Starts `sallyport-agent VERB [ARGUMENT]` from /proc/self/exe: its main must know the verb first of all. The other end of
 * the pair is the child's descriptors 0 and 1; 2 is thrown away, since foreign libraries complain on it; no other one is
 * open there. `environment` is a list of NAME=VALUE with NULL at its end; NULL stands for an empty one. 0, SP_ETOOBIG (an
 * argument over 511 bytes) or SP_ESYS; both descriptors are the caller's then, and the child is his to reap. */
int helper_start(const char *verb, const char *argument, char *const environment[], struct helper *out);
/* Ends and reaps a child that has done nothing yet, and closes both descriptors: for the ways out of a failed start. */
void helper_stop(struct helper *helper);

#endif
