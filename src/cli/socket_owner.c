#include "socket_owner.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sallyport/base/str.h"

/* As /proc/net/tcp has it: the address as a number of this machine in hex, ':', the port in hex. */
enum { END_SIZE = 16 };

static void end_text(const struct sockaddr_in *address, char to[static END_SIZE]) {
    (void)snprintf(to, END_SIZE, "%08X:%04X", (unsigned)address->sin_addr.s_addr, (unsigned)ntohs(address->sin_port));
}

/* In tcp6 an IPv4 address stands at the end of a longer number. */
static bool ends_with(const char *text, const char *end) {
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* "SLOT: LOCAL REMOTE STATE QUEUES TIMER RETRANSMITS UID ...": whether the line is that connection, and its uid. */
static bool line_uid(char *line, const char *local, const char *remote, uint64_t *uid) {
    char *words[9], *rest = line;
    size_t count = 0;
    while (count < 8 && (words[count] = strsep(&rest, " \n")))
        count += words[count][0] != '\0';
    return count == 8 && ends_with(words[1], local) && ends_with(words[2], remote) &&
           str_u64(words[7], 0, UINT32_MAX, uid) == 0;
}

/* Whether such a list is there; *mine when it has the connection, as one of ours. */
static bool look(const char *path, const char *local, const char *remote, bool *mine) {
    char *line = NULL;
    size_t size = 0;
    uint64_t uid;
    FILE *list = fopen(path, "r");
    if (!list)
        return false;
    while (!*mine && getline(&line, &size, list) > 0)
        *mine = line_uid(line, local, remote, &uid) && uid == getuid();
    free(line);
    (void)fclose(list);
    return true;
}

bool socket_owner_is_me(int fd) {
    struct sockaddr_in here = {.sin_family = AF_UNSPEC}, there = here;
    socklen_t len = sizeof here;
    char local[END_SIZE], remote[END_SIZE];
    bool mine = false;
    if (getsockname(fd, (struct sockaddr *)&here, &len) != 0)
        return false;
    len = sizeof there;
    if (getpeername(fd, (struct sockaddr *)&there, &len) != 0 || there.sin_family != AF_INET)
        return false;
    /* The other end's own view: what is remote to us is local to it. */
    end_text(&there, local);
    end_text(&here, remote);
    bool known = look("/proc/net/tcp", local, remote, &mine);
    if (!mine)
        known = look("/proc/net/tcp6", local, remote, &mine) || known;
    return mine || !known;
}
