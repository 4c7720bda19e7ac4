/* A question to the relay's door: connects, says one line, and hands over the connection with the answer. */
#ifndef SALLYPORT_AGENT_QUESTION_H
#define SALLYPORT_AGENT_QUESTION_H

#include <sys/socket.h>

#include "sallyport/base/loop.h"
#include "sallyport/wire/door.h"

struct question;

struct question_config {
    struct loop *loop;
    struct sockaddr_storage to;
    bool shared; /* from a port that more connections may be made from */
    enum door_mode mode;
    const char *ticket;
    /* Comes once, from the loop; the question is freed after it. rc 0: the relay said ok, and `fd`, with nothing taken
     * from behind that line, is the owner's; SP_EDENIED: it said no; SP_ECLOSED, SP_ETIMEOUT (15 s), SP_EFORMAT.
     * `text` is what it said, "" when nothing. */
    void (*done)(void *ctx, int rc, int fd, const char *text);
    void *ctx;
};

/* SP_ENOMEM, SP_ESYS, SP_ECLOSED, SP_EINVAL: `done` does not come. */
int question_new(const struct question_config *config, struct question **out);
/* `done` does not come. NULL is allowed. */
void question_cancel(struct question *question);

/* A non-blocking socket for connections that share their local port. `from` (NULL: any) is the address to bind to. The
 * caller's; -1 with errno. */
int question_socket(int family, bool shared, const struct sockaddr_storage *from);
/* The size of an address of that family, as the kernel wants it. */
socklen_t question_address_size(const struct sockaddr_storage *address);

#endif
