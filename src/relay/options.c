#include <stddef.h>
#include <string.h>

#include "address.h"
#include "prices.h"
#include "sallyport/domain/channel.h"
#include "sallyport/relay/relay.h"
#include "sallyport/wire/tls.h"

#define AT(member) offsetof(struct relay_config, member)

static const struct option options[] = {
    {.name = "state",
     .type = OPTION_TEXT,
     .offset = AT(state),
     .cli = true,
     .metavar = "DIR",
     .help = "folder for the database and keys (default: by the system's habit)"},
    {.name = "listen",
     .type = OPTION_LIST,
     .initial = "*:2222",
     .offset = AT(listen),
     .cli = true,
     .metavar = "ADDR:PORT",
     .help = "address and port to listen on; may be given several times"},
    {.name = "name",
     .type = OPTION_TEXT,
     .offset = AT(name),
     .cli = true,
     .metavar = "HOST",
     .help = "public host name or address of this relay, as people type it"},
    {.name = "public_port",
     .type = OPTION_NUMBER,
     .initial = "0",
     .offset = AT(public_port),
     .max = 65535,
     .cli = true,
     .help = "port as people dial it, if a router changes it (0: the first one listened on)"},
    {.name = "certificate",
     .type = OPTION_TEXT,
     .offset = AT(certificate),
     .cli = true,
     .metavar = "FILE",
     .help = "certificate chain (PEM) for the page (default: a self-made one)"},
    {.name = "certificate_key",
     .type = OPTION_TEXT,
     .offset = AT(certificate_key),
     .cli = true,
     .metavar = "FILE",
     .help = "private key (PEM) of the certificate"},
    {.name = "acme_webroot",
     .type = OPTION_TEXT,
     .offset = AT(acme_webroot),
     .cli = true,
     .metavar = "DIR",
     .help = "folder of the answers to ACME http-01 challenges (default: acme in the state folder)"},
    {.name = "smtp_url",
     .type = OPTION_TEXT,
     .offset = AT(smtp_url),
     .metavar = "URL",
     .help = "server that takes mail of alerts: smtps://HOST:465 or smtp://HOST:587 (default: no mail)"},
    {.name = "smtp_user",
     .type = OPTION_TEXT,
     .offset = AT(smtp_user),
     .metavar = "NAME",
     .help = "name by which the relay is known to that server"},
    {.name = "smtp_password_file",
     .type = OPTION_TEXT,
     .offset = AT(smtp_password_file),
     .metavar = "FILE",
     .help = "file whose first line is the password for it; TLS is a must then"},
    {.name = "mail_from",
     .type = OPTION_TEXT,
     .offset = AT(mail_from),
     .metavar = "ADDRESS",
     .help = "sender of the mail (default: sallyport@NAME)"},
    {.name = "prices",
     .type = OPTION_TEXT,
     .offset = AT(prices),
     .metavar = "FILE",
     .help = "what an hour of a GPU costs in a cloud (default: prices.ini beside this configuration)"},
    {.name = "max_guests",
     .type = OPTION_NUMBER,
     .initial = "1024",
     .offset = AT(max_guests),
     .min = 16,
     .max = 65536,
     .help = "connections that have not logged in, at most"},
    {.name = "sandbox",
     .type = OPTION_FLAG,
     .initial = "on",
     .offset = AT(sandbox),
     .help = "give up, once running, all files that the relay does not need"},
    {.name = "log_level",
     .type = OPTION_CHOICE,
     .initial = "info",
     .offset = AT(log_level),
     .cli = true,
     .choices = "error|warn|info|debug",
     .help = "how much to say on standard error"},
    {.name = NULL},
};

const struct option_table relay_options = {.options = options, .sections = NULL};

static bool check_mail(const struct relay_config *config, struct why *why) {
    struct why reason = {""};
    if (config->smtp_url && strncmp(config->smtp_url, "smtp://", 7) != 0 &&
        strncmp(config->smtp_url, "smtps://", 8) != 0) {
        why_set(why, "smtp_url begins with smtps:// or smtp://");
        return false;
    }
    if (!config->smtp_user != !config->smtp_password_file || (config->smtp_user && !config->smtp_url)) {
        why_set(why, "smtp_url, smtp_user and smtp_password_file belong together");
        return false;
    }
    if (config->mail_from && channel_check(CHANNEL_MAIL, config->mail_from, false, &reason) < 0) {
        why_set(why, "mail_from = %s: %s", config->mail_from, reason.text);
        return false;
    }
    return true;
}

int relay_config_check(const struct relay_config *config, struct why *why) {
    for (size_t i = 0; i < config->listen.count; i++) {
        struct address parsed;
        int rc = address_parse(config->listen.items[i], &parsed, why);
        if (rc < 0)
            return rc;
    }
    if (config->listen.count == 0) {
        why_set(why, "nothing to listen on: give listen = *:2222");
        return SP_EINVAL;
    }
    if (!config->certificate != !config->certificate_key) {
        why_set(why, "certificate and certificate_key belong together: give both or none");
        return SP_EINVAL;
    }
    if (!check_mail(config, why))
        return SP_EINVAL;
    if (config->name &&
        (!config->name[0] || strlen(config->name) > 253 || strpbrk(config->name, " /:[]@'\"\\") != NULL) &&
        !address_is_ipv6(config->name)) {
        why_set(why, "name = %s: give a host name or an address without port, such as relay.example.org", config->name);
        return SP_EINVAL;
    }
    return 0;
}

int relay_config_try(const struct relay_config *config, struct why *why) {
    struct tls_server *server = NULL;
    struct prices *prices = NULL;
    int rc = config->certificate ? tls_server_new(config->certificate, config->certificate_key, &server, why) : 0;
    if (rc == 0)
        rc = prices_read(config->prices, &prices, why);
    tls_server_free(server);
    prices_free(prices);
    return rc;
}
