/* Tickets as bytes and as text. */
#include "sallyport/domain/ticket.h"

#include <string.h>

#include "sallyport/base/secret.h"

enum { VERSION = 1, FIXED_SIZE = 2 + 8 + TICKET_ID_SIZE + TICKET_MACHINE_SIZE };

static bool has_user(enum ticket_kind kind) {
    return kind != TICKET_PROVE;
}

static bool has_service(enum ticket_kind kind) {
    return kind == TICKET_STREAM || kind == TICKET_SERVE;
}

/* What the kind wants is there, and nothing else. */
static bool is_whole(const struct ticket *ticket) {
    static const uint8_t nobody[TICKET_MACHINE_SIZE];
    if (ticket->kind < TICKET_STREAM || ticket->kind > TICKET_PUNCH || ticket->expires <= 0)
        return false;
    if (memcmp(ticket->machine, nobody, sizeof(nobody)) == 0)
        return false;
    if (has_user(ticket->kind) ? name_check(ticket->user, NULL) != 0 : ticket->user[0] != '\0')
        return false;
    return has_service(ticket->kind) ? service_name_check(ticket->service, NULL) == 0 : ticket->service[0] == '\0';
}

static uint8_t *put_name(uint8_t *at, const char *name) {
    *at++ = (uint8_t)strlen(name);
    while (*name)
        *at++ = (uint8_t)*name++;
    return at;
}

int ticket_pack(const struct ticket *ticket, uint8_t to[static TICKET_BODY_MAX], size_t *n) {
    uint8_t *at = to;
    if (!is_whole(ticket))
        return SP_EINVAL;
    *at++ = VERSION;
    *at++ = (uint8_t)ticket->kind;
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (uint8_t)((uint64_t)ticket->expires >> shift);
    memcpy(at, ticket->id, TICKET_ID_SIZE);
    at += TICKET_ID_SIZE;
    memcpy(at, ticket->machine, TICKET_MACHINE_SIZE);
    at += TICKET_MACHINE_SIZE;
    at = put_name(at, ticket->user);
    at = put_name(at, ticket->service);
    *n = (size_t)(at - to);
    return 0;
}

/* The name at *at, which moves behind it. False: it is too long, or has a zero byte, and would read back as another. */
static bool take_name(const uint8_t **at, const uint8_t *end, char name[static SP_NAME_SIZE]) {
    if (*at == end)
        return false;
    size_t len = *(*at)++;
    if (len >= SP_NAME_SIZE || len > (size_t)(end - *at))
        return false;
    memcpy(name, *at, len);
    name[len] = '\0';
    *at += len;
    return strlen(name) == len;
}

int ticket_unpack(const uint8_t *body, size_t n, struct ticket *out) {
    const uint8_t *at = body, *end = body + n;
    struct ticket ticket = {0};
    uint64_t expires = 0;
    if (n < FIXED_SIZE || *at++ != VERSION || *at < TICKET_STREAM || *at > TICKET_PUNCH)
        return SP_EFORMAT;
    ticket.kind = (enum ticket_kind) * at++;
    for (int i = 0; i < 8; i++)
        expires = expires << 8 | *at++;
    if (expires > INT64_MAX)
        return SP_EFORMAT;
    ticket.expires = (int64_t)expires;
    memcpy(ticket.id, at, TICKET_ID_SIZE);
    at += TICKET_ID_SIZE;
    memcpy(ticket.machine, at, TICKET_MACHINE_SIZE);
    at += TICKET_MACHINE_SIZE;
    if (!take_name(&at, end, ticket.user) || !take_name(&at, end, ticket.service) || at != end || !is_whole(&ticket))
        return SP_EFORMAT;
    *out = ticket;
    return 0;
}

int ticket_to_text(const uint8_t *body, size_t n, const uint8_t signature[static TICKET_SIGNATURE_SIZE],
                   char to[static TICKET_TEXT_SIZE]) {
    uint8_t whole[TICKET_BODY_MAX + TICKET_SIGNATURE_SIZE];
    if (n == 0 || n > TICKET_BODY_MAX)
        return SP_EINVAL;
    memcpy(whole, body, n);
    memcpy(whole + n, signature, TICKET_SIGNATURE_SIZE);
    base64url_encode(to, whole, n + TICKET_SIGNATURE_SIZE);
    secret_wipe(whole, sizeof(whole));
    return 0;
}

int ticket_from_text(const char *text, uint8_t body[static TICKET_BODY_MAX], size_t *n,
                     uint8_t signature[static TICKET_SIGNATURE_SIZE]) {
    uint8_t whole[TICKET_BODY_MAX + TICKET_SIGNATURE_SIZE];
    size_t got = 0;
    int rc = SP_EFORMAT;
    if (base64url_decode(text, strlen(text), whole, sizeof(whole), &got) || got <= TICKET_SIGNATURE_SIZE)
        goto out;
    *n = got - TICKET_SIGNATURE_SIZE;
    memcpy(body, whole, *n);
    memcpy(signature, whole + *n, TICKET_SIGNATURE_SIZE);
    rc = 0;
out:
    secret_wipe(whole, sizeof(whole));
    return rc;
}

bool ticket_is_text(const char *text) {
    uint8_t body[TICKET_BODY_MAX], signature[TICKET_SIGNATURE_SIZE];
    size_t n;
    return ticket_from_text(text, body, &n, signature) == 0;
}
