/* Carries bytes between our standard input and output and a socket, with half-close in both directions. */
#ifndef SALLYPORT_CLI_PUMP_H
#define SALLYPORT_CLI_PUMP_H

/* Until both directions have ended, or one side is broken. 0, SP_ENOMEM, SP_ESYS. */
int pump_run(int fd);

#endif
