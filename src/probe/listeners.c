#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "listeners_local.h"
#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

void listeners_init(struct listeners *listeners) {
    *listeners = (struct listeners){0};
}

void listeners_fini(struct listeners *listeners) {
    free(listeners->items);
    listeners_init(listeners);
}

static void classify(struct listener *listener) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t any[16] = {0};
    static const uint8_t loopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    uint8_t *address = listener->address;

    if (listener->family == 6 && memcmp(address, mapped, sizeof mapped) == 0) {
        memmove(address, address + 12, 4);
        memset(address + 4, 0, 12);
        listener->family = 4;
    }
    listener->address_class = LISTEN_OTHER;
    if (memcmp(address, any, sizeof any) == 0)
        listener->address_class = LISTEN_ANY;
    else if (listener->family == 4 ? address[0] == 127 : memcmp(address, loopback, sizeof loopback) == 0)
        listener->address_class = LISTEN_LOOPBACK;
}

int listeners_add(struct listeners *listeners, const struct listener *listener) {
    if (listeners->count >= LISTENERS_MAX)
        return 0;
    if (listeners->count == listeners->cap) {
        size_t cap = listeners->cap == 0 ? 32 : listeners->cap * 2;
        struct listener *items = realloc(listeners->items, cap * sizeof *items);
        if (items == NULL)
            return SP_ENOMEM;
        listeners->items = items;
        listeners->cap = cap;
    }
    listeners->items[listeners->count] = *listener;
    classify(&listeners->items[listeners->count++]);
    return 0;
}

/* Exactly `digits` hex digits from *at on; moves it. */
static bool take_hex(const char **at, size_t digits, uint32_t *out) {
    uint32_t value = 0;
    for (size_t i = 0; i < digits; i++) {
        char c = (*at)[i];
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if (c >= 'A' && c <= 'F')
            digit = (uint32_t)(c - 'A' + 10);
        else if (c >= 'a' && c <= 'f')
            digit = (uint32_t)(c - 'a' + 10);
        else
            return false;
        value = value << 4 | digit;
    }
    *at += digits;
    *out = value;
    return true;
}

/* "0100007F:1F90": each group of 8 digits is a 32-bit word of the address in network order, printed as a number of
 * this machine's byte order; the port is in plain hex. */
static bool parse_local(const char *text, int family, struct listener *out) {
    size_t words = family == 6 ? 4 : 1;
    uint32_t word;
    for (size_t i = 0; i < words; i++) {
        if (!take_hex(&text, 8, &word))
            return false;
        memcpy(out->address + i * 4, &word, sizeof word);
    }
    if (*text != ':')
        return false;
    text++;
    if (!take_hex(&text, 4, &word) || *text != '\0' || word == 0)
        return false;
    out->port = (uint16_t)word;
    out->family = (uint8_t)family;
    return true;
}

enum row { ROW_LISTENS, ROW_OTHER, ROW_NONSENSE };

/* One line of /proc/net/tcp, blanks between the fields:
 *   sl: local remote state tx:rx tr:when retrnsmt uid timeout inode ...          state 0A: LISTEN */
static enum row parse_row(char *line, int family, struct listener *out) {
    char *fields[10];
    char *rest = NULL;
    size_t count = 0;
    uint32_t state;
    uint64_t uid, inode;

    for (char *field = strtok_r(line, " ", &rest); field != NULL && count < 10; field = strtok_r(NULL, " ", &rest))
        fields[count++] = field;
    if (count < 10 || strlen(fields[3]) != 2)
        return ROW_NONSENSE;
    const char *at = fields[3];
    *out = (struct listener){0};
    if (!take_hex(&at, 2, &state) || !parse_local(fields[1], family, out) ||
        str_u64(fields[7], 0, UINT32_MAX, &uid) != 0 || str_u64(fields[9], 0, UINT64_MAX, &inode) != 0)
        return ROW_NONSENSE;
    if (state != 0x0a)
        return ROW_OTHER;
    out->uid = (uid_t)uid;
    out->inode = inode;
    return ROW_LISTENS;
}

int listeners_parse(struct listeners *listeners, const char *text, size_t len, int family, size_t *used, bool *ended) {
    size_t at = 0;
    bool other = false;

    while (at < len && !other) {
        const char *newline = memchr(text + at, '\n', len - at);
        if (newline == NULL)
            break;
        size_t n = (size_t)(newline - (text + at));
        char line[256];
        struct listener listener;
        if (n < sizeof line) {
            memcpy(line, text + at, n);
            line[n] = '\0';
            enum row row = parse_row(line, family, &listener);
            if (row == ROW_LISTENS && listeners_add(listeners, &listener) != 0)
                return SP_ENOMEM;
            other = row == ROW_OTHER;
        }
        at += n + 1;
    }
    *used = at;
    if (other)
        *ended = true;
    return 0;
}

/* Small reads, because the kernel fills a large one with rows that are of no use here. */
static int read_file(struct listeners *listeners, const char *root, int family) {
    char path[512], text[4096];
    size_t held = 0, used = 0;
    bool ended = false;
    int rc = 0;

    int n = snprintf(path, sizeof path, "%s/proc/net/%s", root, family == 6 ? "tcp6" : "tcp");
    if (n < 0 || (size_t)n >= sizeof path)
        return SP_ETOOBIG;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return SP_ESYS;
    while (!ended) {
        ssize_t got = read(fd, text + held, sizeof text - held);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            rc = got < 0 ? SP_ESYS : 0;
            break;
        }
        held += (size_t)got;
        rc = listeners_parse(listeners, text, held, family, &used, &ended);
        if (rc != 0)
            break;
        if (used == 0 && held == sizeof text)
            used = held; /* a line as long as that is none of the kernel's */
        held -= used;
        memmove(text, text + used, held);
    }
    close(fd);
    return rc;
}

static int compare(const void *left, const void *right) {
    const struct listener *a = left, *b = right;
    if (a->port != b->port)
        return a->port < b->port ? -1 : 1;
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    int order = memcmp(a->address, b->address, sizeof a->address);
    if (order == 0 && a->inode != b->inode)
        order = a->inode < b->inode ? -1 : 1;
    return order;
}

/* Netlink for this machine: the kernel searches the table of all connections for each reading of /proc/net/tcp, which
 * took 5 ms for a table of 262144 places with one entry. */
static int read_family(struct listeners *listeners, const char *root, int family) {
    if (root[0] == '\0') {
        size_t before = listeners->count;
        int rc = listeners_diag(listeners, family);
        if (rc != SP_ESYS)
            return rc;
        listeners->count = before;
    }
    return read_file(listeners, root, family);
}

int listeners_read(struct listeners *listeners, const char *root) {
    struct listeners fresh;
    listeners_init(&fresh);

    int rc = read_family(&fresh, root, 4);
    if (rc != 0)
        goto out;
    rc = read_family(&fresh, root, 6);
    if (rc == SP_ESYS && errno == ENOENT) /* a kernel without IPv6 */
        rc = 0;
    if (rc != 0)
        goto out;
    if (fresh.count > 0)
        qsort(fresh.items, fresh.count, sizeof *fresh.items, compare);
    listeners_fini(listeners);
    *listeners = fresh;
    return 0;
out:
    listeners_fini(&fresh);
    return rc;
}

bool listeners_equal(const struct listeners *a, const struct listeners *b) {
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (compare(&a->items[i], &b->items[i]) != 0 || a->items[i].uid != b->items[i].uid)
            return false;
    return true;
}

static int dial_rank(const struct listener *listener) {
    return (listener->address_class == LISTEN_OTHER ? 2 : 0) + (listener->family == 6 ? 1 : 0);
}

const struct listener *listeners_find(const struct listeners *listeners, uint16_t port) {
    const struct listener *best = NULL;
    for (size_t i = 0; i < listeners->count; i++) {
        const struct listener *one = &listeners->items[i];
        if (one->port == port && (best == NULL || dial_rank(one) < dial_rank(best)))
            best = one;
    }
    return best;
}

void listener_host(const struct listener *listener, char to[static LISTENER_HOST_SIZE]) {
    bool own = listener->address_class == LISTEN_OTHER || (listener->family == 4 && listener->address[0] == 127);
    if (own)
        (void)inet_ntop(listener->family == 6 ? AF_INET6 : AF_INET, listener->address, to, LISTENER_HOST_SIZE);
    else
        (void)str_copy(to, LISTENER_HOST_SIZE, listener->family == 6 ? "::1" : "127.0.0.1");
}
