/* ticket: the ways to a service, for the client program. */
#include <string.h>

#include "sallyport/base/str.h"
#include "verbs_local.h"

int verb_ticket(struct verb_call *call) {
    char box[2 * SP_NAME_SIZE];
    struct why why = {""};
    if (str_copy(box, sizeof box, call->args[0]) < 0)
        return verb_fail(call, "BOX or BOX/SERVICE is wanted, not '%s'", call->args[0]);
    char *slash = strchr(box, '/');
    if (slash)
        *slash = '\0';
    if (slash && service_name_check(slash + 1, &why) < 0)
        return verb_fail(call, "%s", why.text);
    int rc = call->verbs->ticket(call->verbs->ctx, call->actor, call->who, &call->subject, box,
                                 slash ? slash + 1 : "ssh", call->out, &why);
    return rc < 0 ? verb_fail(call, "%s", why.text[0] ? why.text : err_text(rc)) : VERB_DONE;
}
