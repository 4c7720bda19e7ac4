/* The table of verbs, and the help and the manual that follow from it. */
#include <stdio.h>
#include <string.h>

#include "sallyport/base/manual.h"
#include "verbs_local.h"

#define ANY SIZE_MAX

const struct verb verb_table[] = {
    {"help", NULL, "[VERB]", "what can be asked, and how", ACTION_ASK, 0, 0, 2, verb_help},
    {"list", NULL, "[--free] [--json]", "the machines, and whether they are well; or the GPUs that are free",
     ACTION_ASK, VERB_JSON | VERB_FREE, 0, 0, verb_list},
    {"status", NULL, "BOX [--json]", "everything that is known of one machine", ACTION_ASK, VERB_JSON, 1, 1,
     verb_status},
    {"whoami", NULL, "[--json]", "your name, your role, what you may reach", ACTION_ASK, VERB_JSON, 0, 0, verb_whoami},
    {"ticket", NULL, "BOX[/SERVICE]", "for programs: the ways to a service, with tickets, as JSON", ACTION_ASK,
     VERB_JSON, 1, 1, verb_ticket},
    {"login", NULL, "", "a link that logs your browser in, once, within 10 minutes", ACTION_OWN_ACCOUNT, 0, 0, 0,
     verb_login},
    {"key", "list", "[NAME] [--json]", "your public keys and API tokens, or those of NAME", ACTION_ASK, VERB_JSON, 0, 1,
     verb_key_list},
    {"key", "add", "[NAME] 'ssh-ed25519 ...' | - | --api LABEL", "one more key or API token, for you or NAME",
     ACTION_ASK, VERB_KEY | VERB_API, 0, ANY, verb_key_add},
    {"key", "remove", "FINGERPRINT", "a key counts no more; what it opened is closed", ACTION_ASK, 0, 1, 1,
     verb_key_remove},
    {"session", "list", "[NAME] [--json]", "the browsers that are logged in for you, or for NAME", ACTION_ASK,
     VERB_JSON, 0, 1, verb_session_list},
    {"session", "remove", "ID | [NAME] --all", "a browser is logged out, or all are", ACTION_ASK, VERB_ALL, 0, 1,
     verb_session_remove},
    {"invite", "machine", "NAME [--for 24h]", "a line to paste on a machine that is to join", ACTION_ADMINISTER,
     VERB_FOR, 1, 1, verb_invite_machine},
    {"invite", "user", "NAME [--admin] [--for 24h]", "a line to paste for a person who is to join", ACTION_ADMINISTER,
     VERB_FOR | VERB_ADMIN, 1, 1, verb_invite_user},
    {"invite", "list", "[--json]", "invites that can still be used", ACTION_ADMINISTER, VERB_JSON, 0, 0,
     verb_invite_list},
    {"invite", "remove", "ID", "an invite can be used no more", ACTION_ADMINISTER, 0, 1, 1, verb_invite_remove},
    {"user", "list", "[--json]", "users, roles, grants", ACTION_ADMINISTER, VERB_JSON, 0, 0, verb_user_list},
    {"user", "add", "NAME [--admin] ['ssh-ed25519 ...' | -]", "a new user", ACTION_ADMINISTER, VERB_ADMIN | VERB_KEY, 1,
     ANY, verb_user_add},
    {"user", "remove", "NAME", "a user, with keys and grants, is gone", ACTION_ADMINISTER, 0, 1, 1, verb_user_remove},
    {"user", "disable", "NAME", "a user is kept, but locked out", ACTION_ADMINISTER, 0, 1, 1, verb_user_disable},
    {"user", "enable", "NAME", "a disabled user may come in again", ACTION_ADMINISTER, 0, 1, 1, verb_user_enable},
    {"machine", "list", "[--json]", "machines, when they were added and seen", ACTION_ADMINISTER, VERB_JSON, 0, 0,
     verb_machine_list},
    {"machine", "add", "NAME 'ssh-ed25519 ...' | -", "a machine that comes with a plain ssh -R", ACTION_ADMINISTER,
     VERB_KEY, 2, ANY, verb_machine_add},
    {"machine", "rename", "OLD NEW", "a machine is called NEW from now on", ACTION_ADMINISTER, 0, 2, 2,
     verb_machine_rename},
    {"machine", "remove", "NAME", "a machine, with keys and grants, is gone", ACTION_ADMINISTER, 0, 1, 1,
     verb_machine_remove},
    {"grant", NULL, "USER BOX[/SERVICE]", "a user may see a machine and reach it, or one service", ACTION_ADMINISTER, 0,
     2, 2, verb_grant},
    {"revoke", NULL, "USER BOX[/SERVICE]", "a grant is taken back; what it opened is closed", ACTION_ADMINISTER, 0, 2,
     2, verb_revoke},
    {"claim", NULL, "BOX GPU [--for 8h] [--note TEXT]", "you take a GPU for a while; the others see it",
     ACTION_OWN_ACCOUNT, VERB_JSON | VERB_FOR | VERB_NOTE, 2, ANY, verb_claim},
    {"release", NULL, "BOX GPU", "a claim is over before its time", ACTION_ASK, VERB_JSON, 2, 2, verb_release},
    {"wake", NULL, "BOX", "a machine that sleeps is called awake by one beside it", ACTION_ASK, 0, 1, 1, verb_wake},
    {"alerts", "list", "[BOX] [--json]", "what is wrong now, and what was in the last days", ACTION_ASK, VERB_JSON, 0,
     1, verb_alerts_list},
    {"alerts", "channels", "[--json]", "where messages about it go", ACTION_ASK, VERB_JSON, 0, 0, verb_alerts_channels},
    {"alerts", "add", "ntfy URL | webhook URL | mail ADDRESS [--user NAME] [--private]",
     "messages go there, too (--private: also to addresses inside)", ACTION_ASK, VERB_USER | VERB_PRIVATE, 2, 2,
     verb_alerts_add},
    {"alerts", "remove", "ID", "messages go there no more", ACTION_ASK, 0, 1, 1, verb_alerts_remove},
    {"alerts", "test", "ID", "sends a test there", ACTION_ASK, 0, 1, 1, verb_alerts_test},
    {"alerts", "settings", "[BOX] [--json]", "from where on something counts as wrong", ACTION_ASK, VERB_JSON, 0, 1,
     verb_alerts_settings},
    {"alerts", "set", "BOX|all NAME VALUE|on|off|default", "something else counts as wrong from now on",
     ACTION_ADMINISTER, 0, 3, 3, verb_alerts_set},
    {"alerts", "quiet", "[NAME] FROM-TO OFFSET | off", "messages wait: 22:00-07:00 +01:00", ACTION_ASK, 0, 1, 3,
     verb_alerts_quiet},
    {"pay", NULL, "BOX [--json]", "what renting its GPUs would have cost, and when it has paid for itself", ACTION_ASK,
     VERB_JSON, 1, 1, verb_pay},
    {"price", NULL, "BOX [--machine 3200] [--power 0.30] [--cloud 0.44] [--since 2026-01-31] [--currency EUR]",
     "what a machine cost, a kWh, an hour of a rented GPU", ACTION_ADMINISTER, VERB_PRICES | VERB_JSON, 1, 1,
     verb_price},
    {"publish", NULL, "BOX SERVICE", "a service that was found on a machine may be reached from now on",
     ACTION_ADMINISTER, 0, 2, 2, verb_publish},
    {"unpublish", NULL, "BOX SERVICE", "it may not any more; what is open to it is closed", ACTION_ADMINISTER, 0, 2, 2,
     verb_unpublish},
    {"audit", NULL, "[NAME] [--last 50] [--json]", "who did what: all, or what NAME did and what was done to NAME",
     ACTION_ADMINISTER, VERB_JSON | VERB_LAST, 0, 1, verb_audit_list},
};
const size_t verb_count = sizeof(verb_table) / sizeof(verb_table[0]);

void verb_title(const struct verb *verb, char *to, size_t size) {
    snprintf(to, size, "%s%s%s", verb->name, verb->sub ? " " : "", verb->sub ? verb->sub : "");
}

void verbs_manual(const void *unused, FILE *to) {
    (void)unused;
    for (size_t i = 0; i < verb_count; i++) {
        const struct verb *verb = &verb_table[i];
        char usage[160], title[32];
        verb_title(verb, title, sizeof(title));
        snprintf(usage, sizeof(usage), "%s %s", title, verb->arguments);
        manual_item(usage, verb->help, to);
        if (verb->needs == ACTION_ADMINISTER)
            fputs("(admins only)\n", to);
        else if (verb->needs == ACTION_OWN_ACCOUNT)
            fputs("(not by \\fBctl\\fR, which is no user)\n", to);
    }
}

int verb_help(struct verb_call *call) {
    const char *name = call->count > 0 ? call->args[0] : NULL;
    const char *sub = call->count > 1 ? call->args[1] : NULL;
    size_t shown = 0;
    int rc = 0;
    for (size_t i = 0; i < verb_count && !rc; i++) {
        const struct verb *verb = &verb_table[i];
        char usage[96], title[32];
        if (name && (strcmp(verb->name, name) != 0 || (sub && (!verb->sub || strcmp(verb->sub, sub) != 0))))
            continue;
        if (!verb_may(call, verb->needs)) /* what is not for him would only be in the way */
            continue;
        verb_title(verb, title, sizeof(title));
        snprintf(usage, sizeof(usage), "%s %s", title, verb->arguments);
        rc = buf_printf(call->out, "  %-50s %s\n", usage, verb->help);
        shown++;
    }
    if (shown == 0) {
        verb_say(call, "there is no help on '%s': 'help' alone lists the verbs", name ? name : "");
        return VERB_USAGE;
    }
    return verb_end(call, rc);
}
