/* Descriptors that go to another process over a Unix socket, as ssh takes them (ProxyUseFdpass). */
#ifndef SALLYPORT_CLI_HANDOVER_FD_H
#define SALLYPORT_CLI_HANDOVER_FD_H

/* The descriptor stays the caller's. SP_ESYS. */
int handover_fd_send(int socket, int fd);
/* SP_ECLOSED: none came. */
int handover_fd_receive(int socket, int *fd);

#endif
