/* How long the kernel keeps up a connection whose peer is silent (tcp(7)). */
#ifndef SALLYPORT_WIRE_KEEPALIVE_H
#define SALLYPORT_WIRE_KEEPALIVE_H

/* The peer is asked after `idle_s` seconds without traffic and then every `idle_s`; after three questions without an
 * answer the connection is over. A peer that is merely stopped answers, and is kept. What fails is not worth a word. */
void keepalive_set(int fd, unsigned idle_s);

#endif
