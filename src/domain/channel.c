/* The rules of channels. */
#include "sallyport/domain/channel.h"

#include <stdio.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/candidate.h"

#define MAIL_MAX 254
#define SHOWN_OF_PATH 4 /* of one that is at least ... */
#define PATH_TO_SHOW 12

static const char *const kind_names[] = {
    [CHANNEL_NTFY] = "ntfy", [CHANNEL_WEBHOOK] = "webhook", [CHANNEL_MAIL] = "mail"};

const char *channel_kind_name(enum channel_kind kind) {
    return kind_names[kind];
}

int channel_kind_parse(const char *text, enum channel_kind *out) {
    for (unsigned i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
        if (strcmp(text, kind_names[i]) == 0) {
            *out = i;
            return 0;
        }
    }
    return SP_EINVAL;
}

/* One @, on either side only what mail addresses have without quotes: no blank, bracket, comma or line's end. */
static int check_mail(const char *address, struct why *why) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t before = strcspn(address, "@");
    const char *domain = address[before] ? address + before + 1 : "";
    size_t len = strlen(domain);
    bool good = before > 0 && before <= 64 && strlen(address) <= MAIL_MAX && address[0] != '-' && len >= 3 &&
                strchr(domain, '.') && domain[0] != '.' && domain[0] != '-' && domain[len - 1] != '.' &&
                !strstr(domain, "..");
    for (size_t i = 0; good && i < before; i++)
        good = strchr(letters, address[i]) || strchr("._%+=-", address[i]);
    for (size_t i = 0; good && i < len; i++)
        good = strchr(letters, domain[i]) || strchr(".-", domain[i]);
    if (good)
        return 0;
    why_set(why, "a mail address is wanted, such as ann@example.org");
    return SP_EINVAL;
}

/* Where the host of the URL begins; NULL: neither https:// nor http://. */
static const char *host_of(const char *url) {
    if (str_starts(url, "https://"))
        return url + strlen("https://");
    return str_starts(url, "http://") ? url + strlen("http://") : NULL;
}

static int check_host(const char *host, struct why *why) {
    char name[256];
    bool bracket = host[0] == '[';
    size_t len = bracket ? strcspn(host + 1, "]/?#") : strcspn(host, ":/?#");
    if (len == 0 || len >= sizeof(name) || (bracket && host[1 + len] != ']')) {
        why_set(why, "the URL has no host");
        return SP_EINVAL;
    }
    memcpy(name, host + bracket, len);
    name[len] = '\0';
    enum address_scope scope = address_scope(name);
    if ((scope != ADDRESS_NONE && scope != ADDRESS_PUBLIC) || (bracket && scope == ADDRESS_NONE)) {
        why_set(why, "it leads to a %s address: an admin can allow that with --private", address_scope_words(scope));
        return SP_EDENIED;
    }
    return 0;
}

static int check_url(const char *url, bool is_private, struct why *why) {
    const char *host = host_of(url);
    if (!host || (!is_private && !str_starts(url, "https://"))) {
        why_set(why, "a URL is wanted that begins with https://%s",
                host ? " (http:// goes with --private only, by an admin)" : "");
        return SP_EINVAL;
    }
    for (const char *at = url; *at; at++) {
        if (*at <= ' ' || *at >= 0x7f || strchr("\"<>\\^`{|}", *at)) {
            why_set(why, "there are characters in the URL that no URL has: write them as %%XX");
            return SP_EINVAL;
        }
    }
    size_t authority = strcspn(host, "/?#");
    if (memchr(host, '@', authority) || strchr(host, '#')) {
        why_set(why, "a URL without a user, a password and a # is wanted");
        return SP_EINVAL;
    }
    return is_private ? 0 : check_host(host, why);
}

int channel_check(enum channel_kind kind, const char *address, bool is_private, struct why *why) {
    if (strlen(address) >= CHANNEL_ADDRESS_SIZE) {
        why_set(why, "the address is too long: at most %d bytes", CHANNEL_ADDRESS_SIZE - 1);
        return SP_EINVAL;
    }
    return kind == CHANNEL_MAIL ? check_mail(address, why) : check_url(address, is_private, why);
}

void channel_short(const struct channel *channel, char to[static CHANNEL_SHORT_SIZE]) {
    const char *host = host_of(channel->address);
    size_t len = strlen(channel->address);
    size_t shown = len;
    if (channel->kind != CHANNEL_MAIL && host) {
        size_t authority = (size_t)(host - channel->address) + strcspn(host, "/?");
        shown = authority + (len - authority >= PATH_TO_SHOW ? SHOWN_OF_PATH : 0);
    }
    if (shown > CHANNEL_SHORT_SIZE - 4)
        shown = CHANNEL_SHORT_SIZE - 4;
    snprintf(to, CHANNEL_SHORT_SIZE, "%.*s%s", (int)shown, channel->address, shown < len ? "..." : "");
}
